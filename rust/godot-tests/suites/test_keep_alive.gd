extends "res://support/noray_suite.gd"
## [code]keep_alive[/code]: datagrams to the registrar from a game's own ENet.

const FakeNoray1 := preload("res://support/fake_noray_1.gd")

## RFC 8445's Tr.
const PAUSE := 15.0

var _fake: FakeNoray1
var _peer: ENetMultiplayerPeer


func _init() -> void:
	time_limit = 40.0


func before_each() -> void:
	_fake = FakeNoray1.new()


func after_each() -> void:
	if _peer != null:
		_peer.close()
	super()


## Fails when the datagrams come from another port, hold something else, or come too often or not at
## all.
func test_it_comes_from_enets_port() -> void:
	if not await _host():
		return
	var registered := _fake.registrar.datagrams.size()
	check_error(Noray.keep_alive(_peer.host), OK)
	await _check_kept_alive(registered + 1)
	check_equal(_fake.registrar.datagrams[-1].text, Noray.pid, "what was sent")
	check_equal(_fake.registrar.datagrams[-1].port, Noray.local_port, "from where")
	await wait_seconds(PAUSE - 2.0)
	check_equal(_fake.registrar.datagrams.size(), registered + 1, "datagrams before the next")
	await wait_seconds(3.0)
	check_equal(_fake.registrar.datagrams.size(), registered + 2, "datagrams after the pause")


## Fails when a second call doubles the datagrams.
func test_a_second_call() -> void:
	if not await _host():
		return
	var registered := _fake.registrar.datagrams.size()
	check_error(Noray.keep_alive(_peer.host), OK)
	await _check_kept_alive(registered + 1)
	check_error(Noray.keep_alive(_peer.host), OK, "again")
	await _check_kept_alive(registered + 2)
	await wait_seconds(PAUSE - 1.0)
	check_equal(_fake.registrar.datagrams.size(), registered + 2, "datagrams")
	await wait_seconds(2.0)
	check_equal(_fake.registrar.datagrams.size(), registered + 3, "datagrams after the pause")


## Fails when it holds the connection, or goes on after its end.
func test_a_connection_that_ends() -> void:
	if not await _host():
		return
	var registered := _fake.registrar.datagrams.size()
	check_error(Noray.keep_alive(_peer.host), OK)
	await _check_kept_alive(registered + 1)
	var id := _peer.host.get_instance_id()
	_peer.close()
	check(not is_instance_id_valid(id), "somebody holds it")
	await wait_seconds(PAUSE + 1.0)
	check_equal(_fake.registrar.datagrams.size(), registered + 1, "datagrams")


## Fails when it goes on sending a PrivateID that is no longer valid.
func test_an_identity_that_ends() -> void:
	if not await _host():
		return
	var registered := _fake.registrar.datagrams.size()
	check_error(Noray.keep_alive(_peer.host), OK)
	await _check_kept_alive(registered + 1)
	Noray.disconnect_from_host()
	await wait_seconds(PAUSE + 1.0)
	check_equal(_fake.registrar.datagrams.size(), registered + 1, "datagrams")


## Fails when a call that can do nothing returns OK.
func test_without_what_it_needs() -> void:
	expect_in_log("nothing to keep alive: no ENetConnection")
	check_error(Noray.keep_alive(null), ERR_INVALID_PARAMETER)
	check_message(["ENetConnection"])
	expect_in_log("nothing to keep alive: no ENetConnection")
	check_error(Noray.keep_alive(ENetConnection.new()), ERR_INVALID_PARAMETER, "not begun")
	_peer = ENetMultiplayerPeer.new()
	_peer.create_server(0)
	expect_in_log("nothing to keep alive: no address is registered")
	check_error(Noray.keep_alive(_peer.host), ERR_UNCONFIGURED, "without a connection")
	check_message(["register_remote"])
	await get_identity(_fake.port)
	expect_in_log("nothing to keep alive: no address is registered")
	check_error(Noray.keep_alive(_peer.host), ERR_UNCONFIGURED, "without a registration")


func _host() -> bool:
	if not await join(_fake.port, _fake.registrar.port):
		return false
	_peer = ENetMultiplayerPeer.new()
	return check_error(_peer.create_server(Noray.local_port), OK, "listening")


func _check_kept_alive(count: int) -> void:
	await wait_until(func() -> bool: return _fake.registrar.datagrams.size() >= count, 2.0)
	check_equal(_fake.registrar.datagrams.size(), count, "datagrams")
