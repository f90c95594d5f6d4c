extends "res://suite.gd"
## Base of the suites that use [code]Noray[/code]: resets it after each test.

const FakeServer := preload("res://support/fake_server.gd")

const CONNECT_TIMEOUT := "noray/network/connect_timeout"
const ANSWER_TIMEOUT := "noray/network/answer_timeout"
const SERVER := "noray/network/server"
const LAN := "noray/network/lan"
const DEFAULT_CONNECT_TIMEOUT := 8.0
const DEFAULT_ANSWER_TIMEOUT := 5.0

const HERE := "127.0.0.1"

## Not those of a noray server that may run on this machine.
const RELAY_PORTS := "28100-28199"


func after_each() -> void:
	Noray.cancel_join()
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	Noray.disconnect_from_host()
	ProjectSettings.set_setting(SERVER, "")
	ProjectSettings.set_setting(LAN, true)
	ProjectSettings.set_setting(CONNECT_TIMEOUT, DEFAULT_CONNECT_TIMEOUT)
	ProjectSettings.set_setting(ANSWER_TIMEOUT, DEFAULT_ANSWER_TIMEOUT)


## Starts one of our servers on free ports. Returns null, and notes a failure, on error.
func start_server() -> NorayServer:
	var server := NorayServer.new()
	if check_error(server.start(0, 0, RELAY_PORTS, HERE), OK, "starting a server"):
		return server
	return null


## Connects this player, as the guide does. Returns whether it worked.
func connect_to(port: int) -> bool:
	return check_error(await Noray.connect_to_host(HERE, port), OK, "connecting")


## Connects this player to a fake server, and waits until that has accepted. Returns whether it
## worked.
func connect_to_fake(server: FakeServer) -> bool:
	var before := server.connections.size()
	if not await connect_to(server.port):
		return false
	return check(
			await wait_until(func() -> bool: return server.connections.size() > before, 5.0),
			"the server accepted nobody"
	)


## Connects this player and gets its identity. Returns whether it worked.
func get_identity(port: int) -> bool:
	if not await connect_to(port):
		return false
	var came := record(Noray.on_pid)
	check_error(Noray.register_host(), OK, "asking for ids")
	return check(await wait_until(func() -> bool: return not came.is_empty(), 5.0), "no ids came")


## Connects and registers this player, as the guide does. Returns whether it worked.
func join(port: int, registrar_port: int) -> bool:
	if not await get_identity(port):
		return false
	return check_error(await Noray.register_remote(registrar_port), OK, "registering")


## Waits for the end of a call that [method record] watches. Checks that it ends soon, once, and
## with [param wanted]. Returns whether it did.
func check_ended(pending: Array[Array], wanted: Error, message: String) -> bool:
	if not await wait_until(func() -> bool: return not pending.is_empty(), 5.0):
		check(false, message + ": it did not end")
		return false
	# A second end would come soon.
	await wait_frames(2)
	if not check_equal(pending.size(), 1, message + ": how often it ended"):
		return false
	var error: Error = pending[0][0]
	return check_error(error, wanted, message)


## Checks that the sentence of the latest failure contains all of [param words].
func check_message(words: PackedStringArray) -> void:
	for word in words:
		check(
				Noray.last_error_message.contains(word),
				"'%s' does not say '%s'" % [Noray.last_error_message, word]
		)
	check(not words.is_empty(), "nothing to look for")


## Waits until a recorded signal has come [param count] times. Returns whether it came just so
## often.
func comes(emissions: Array[Array], count: int = 1, seconds: float = 5.0) -> bool:
	await wait_until(func() -> bool: return emissions.size() >= count, seconds)
	await wait_frames(2)
	return emissions.size() == count
