extends "res://support/noray_suite.gd"
## [code]register_remote[/code]: what goes to the registrar, what is believed, how it ends.

const FakeRegistrar := preload("res://support/fake_registrar.gd")

const PID := "secret-of-this-player"

var _server: FakeServer
var _registrar: FakeRegistrar


## A server that sends no more, and a silent registrar.
func before_each() -> void:
	_server = FakeServer.new()
	_registrar = FakeRegistrar.new()


## Fails when the guide's flow fails, or the port is not free after the await.
func test_the_guides_flow() -> void:
	var server := start_server()
	if not await join(server.port, server.registrar_port):
		return
	var port := Noray.local_port
	check(port > 0 and port < 65536, "the local port is %d" % port)
	var peer := ENetMultiplayerPeer.new()
	check_error(peer.create_server(port), OK, "listening there in the same frame")
	peer.close()


## Fails when a call that comes too early reaches the registrar, or does not say what is missing.
func test_without_ids() -> void:
	await connect_to_fake(_server)
	expect_in_log("there is no PrivateID yet")
	check_error(await Noray.register_remote(_registrar.port), ERR_UNAUTHORIZED)
	check_message(["PrivateID", "register_host"])
	await wait_seconds(0.1)
	check_equal(_registrar.datagrams.size(), 0, "datagrams")


## Fails when a refusal does not end the call, or the port counts as registered.
func test_refused() -> void:
	await _get_pid()
	for text: String in ["Unknown host pid!", "OKAY", "ok", "O", "{}"]:
		_registrar.answer = func(_pid: String) -> String: return text
		expect_in_log("the registrar refused this player")
		var began := Time.get_ticks_msec()
		check_error(await Noray.register_remote(_registrar.port), FAILED, text)
		check(Time.get_ticks_msec() - began < 2000, "it took long")
		check_message(["registrar", "refused"])
		check_equal(Noray.local_port, -1, "local_port")


## Fails when the registrar's text, which can be the PrivateID itself, is shown.
func test_a_refusal_that_repeats_the_private_id() -> void:
	await _get_pid()
	_registrar.answer = func(pid: String) -> String: return "Unknown host pid: " + pid
	expect_in_log("the registrar refused this player")
	check_error(await Noray.register_remote(_registrar.port), FAILED)
	check(not Noray.last_error_message.contains(PID), "the PrivateID is told")


## Fails when the timeout is not kept, a repeat is not sent, or the wrong text is.
func test_no_answer() -> void:
	await _get_pid()
	expect_in_log("no answer from the registrar at 127.0.0.1:%d within 0.5 s" % _registrar.port)
	var began := Time.get_ticks_msec()
	check_error(await Noray.register_remote(_registrar.port, 0.5, 0.1), ERR_TIMEOUT)
	var took := (Time.get_ticks_msec() - began) / 1000.0
	check(took > 0.45 and took < 1.0, "it took %s s" % took)
	check_message(["registrar", "127.0.0.1:%d" % _registrar.port, "0.5 s"])
	var count := _registrar.datagrams.size()
	check(count >= 4 and count <= 6, "%d datagrams" % count)
	for datagram in _registrar.datagrams:
		check_equal(datagram.text, PID, "what was sent")
	check_equal(Noray.local_port, -1, "local_port")


## Fails when the system's word that nobody listens ends the wait: a server may just be starting.
func test_nobody_there() -> void:
	await _get_pid()
	_registrar.stop()
	expect_in_log("no answer from the registrar")
	var began := Time.get_ticks_msec()
	check_error(await Noray.register_remote(_registrar.port, 0.4, 0.05), ERR_TIMEOUT)
	check(Time.get_ticks_msec() - began > 350, "it gave up early")


## Fails when an answer to a repeat does not count.
func test_a_late_answer() -> void:
	await _get_pid()
	_registrar.answer = func(_pid: String) -> String:
		return "OK" if _registrar.datagrams.size() >= 4 else ""
	check_error(await Noray.register_remote(_registrar.port, 5.0, 0.05), OK)
	check_equal(Noray.local_port, _registrar.datagrams[0].port, "local_port")


## Fails when anyone who knows the player's port can make it believe that it is registered.
func test_liars_are_not_believed() -> void:
	await _get_pid()
	var liar := PacketPeerUDP.new()
	liar.bind(0, HERE)
	_registrar.answer = func(_pid: String) -> String:
		liar.set_dest_address(HERE, _registrar.datagrams[-1].port)
		liar.put_packet("OK".to_utf8_buffer())
		liar.put_packet("Unknown host pid!".to_utf8_buffer())
		return ""
	expect_in_log("no answer from the registrar")
	check_error(await Noray.register_remote(_registrar.port, 0.5, 0.05), ERR_TIMEOUT)
	check(_registrar.datagrams.size() > 3, "the liar had no chance")
	check_equal(Noray.local_port, -1, "local_port")


## Fails when nonsense is tried, crashes, or never ends.
func test_nonsense() -> void:
	await _get_pid()
	for nonsense: Array in [
		[0, 8.0, 0.1], [-1, 8.0, 0.1], [65536, 8.0, 0.1], [1 << 40, 8.0, 0.1],
		[_registrar.port, NAN, 0.1], [_registrar.port, -0.1, 0.1], [_registrar.port, INF, 0.1],
		[_registrar.port, 1e300, 0.1],
		[_registrar.port, 8.0, NAN], [_registrar.port, 8.0, -1.0], [_registrar.port, 8.0, INF],
	]:
		var port: int = nonsense[0]
		var timeout: float = nonsense[1]
		var interval: float = nonsense[2]
		expect_in_log("cannot register with")
		check_error(
				await Noray.register_remote(port, timeout, interval),
				ERR_INVALID_PARAMETER,
				str(nonsense)
		)
		check_message(["cannot register with", str(port)])
	await wait_seconds(0.1)
	check_equal(_registrar.datagrams.size(), 0, "datagrams")


## Fails when no time at all is an endless one, or no pause at all is a flood.
func test_the_least_times() -> void:
	await _get_pid()
	expect_in_log("no answer from the registrar")
	check_error(await Noray.register_remote(_registrar.port, 0.0), ERR_TIMEOUT, "no time")
	_registrar.datagrams.clear()
	expect_in_log("no answer from the registrar")
	check_error(await Noray.register_remote(_registrar.port, 0.3, 0.0), ERR_TIMEOUT, "no pause")
	await wait_frames(2)
	var count := _registrar.datagrams.size()
	check(count > 5 and count <= 17, "%d datagrams in 0.3 s" % count)


## Fails when a second call opens a second socket, or one of the awaits hangs.
func test_two_calls_at_once() -> void:
	await _get_pid()
	_registrar.answer = func(_pid: String) -> String:
		return "OK" if _registrar.datagrams.size() >= 3 else ""
	var first := record(Noray.register_remote(_registrar.port, 5.0, 0.05))
	var second := record(Noray.register_remote(_registrar.port, 5.0, 0.05))
	await check_ended(first, OK, "the first call")
	await check_ended(second, OK, "the second call")
	for datagram in _registrar.datagrams:
		check_equal(datagram.port, Noray.local_port, "the port it came from")


## Fails when a further call gives the game another port than the server knows.
func test_a_second_call_later() -> void:
	var server := start_server()
	await join(server.port, server.registrar_port)
	var port := Noray.local_port
	# The game holds its port already.
	var peer := ENetMultiplayerPeer.new()
	peer.create_server(port)
	check_error(await Noray.register_remote(server.registrar_port), OK, "the second call")
	check_equal(Noray.local_port, port, "local_port")
	peer.close()


## Fails when a new identity keeps the last one's port, which the server does not know it by.
func test_after_a_second_register_host() -> void:
	await _get_pid()
	_registrar.answer = func(_pid: String) -> String: return "OK"
	check_error(await Noray.register_remote(_registrar.port), OK, "the first")
	check_equal(Noray.local_port, _registrar.datagrams[0].port, "the first port")
	var before := _registrar.datagrams.size()
	_server.say("set-oid second\nset-pid second-secret\n")
	await wait_until(func() -> bool: return Noray.pid == "second-secret", 5.0)
	check_error(await Noray.register_remote(_registrar.port), OK, "the second")
	if check(_registrar.datagrams.size() > before, "nothing was sent for the second"):
		check_equal(_registrar.datagrams[-1].text, "second-secret", "what was sent")
		check_equal(Noray.local_port, _registrar.datagrams[-1].port, "the second port")


## Fails when an identity that comes in the middle counts as registered by the last one's answer.
func test_a_new_identity_in_the_middle() -> void:
	await _get_pid()
	var pending := record(Noray.register_remote(_registrar.port, 5.0, 0.05))
	await wait_until(func() -> bool: return _registrar.datagrams.size() >= 1, 5.0)
	_server.say("set-oid second\nset-pid second-secret\n")
	await wait_until(func() -> bool: return Noray.pid == "second-secret", 5.0)
	expect_in_log("another PrivateID is being registered")
	check_error(await Noray.register_remote(_registrar.port), ERR_BUSY, "meanwhile")
	_registrar.answer = func(_pid: String) -> String: return "OK"
	await check_ended(pending, OK, "the first")
	check_error(await Noray.register_remote(_registrar.port), OK, "the second")
	check_equal(_registrar.datagrams[-1].text, "second-secret", "what was sent")


## Fails when the PrivateID goes on being sent to a server that was left.
func test_leaving_in_the_middle() -> void:
	await _get_pid()
	var pending := record(Noray.register_remote(_registrar.port, 8.0, 0.02))
	await wait_until(func() -> bool: return _registrar.datagrams.size() >= 2, 5.0)
	Noray.disconnect_from_host()
	await check_ended(pending, ERR_CONNECTION_ERROR, "the call")
	await wait_frames(3)
	var count := _registrar.datagrams.size()
	await wait_seconds(0.2)
	check_equal(_registrar.datagrams.size(), count, "datagrams, later")
	check_equal(Noray.local_port, -1, "local_port")


## Fails when the await outlives the server, or the sending does.
func test_a_server_that_dies_in_the_middle() -> void:
	await _get_pid()
	var pending := record(Noray.register_remote(_registrar.port, 8.0, 0.02))
	await wait_until(func() -> bool: return _registrar.datagrams.size() >= 2, 5.0)
	expect_in_log("Noray: the server closed the connection")
	_server.stop()
	await check_ended(pending, ERR_CONNECTION_ERROR, "the call")
	await wait_frames(3)
	var count := _registrar.datagrams.size()
	await wait_seconds(0.2)
	check_equal(_registrar.datagrams.size(), count, "datagrams, later")


## Connects, and gets a PrivateID.
func _get_pid() -> void:
	if not await connect_to_fake(_server):
		return
	_server.say("set-oid this-player\nset-pid %s\n" % PID)
	check(await wait_until(func() -> bool: return Noray.pid == PID, 5.0), "no PrivateID came")
