extends "res://support/host_join_suite.gd"
## What [code]host[/code] and [code]join[/code] take: the server's address, and options.

## Values of another type, or out of range.
const WRONG: Dictionary = {
	"force_relay": [1, "true", null, 0.0],
	"lan": [0, &"true", []],
	"timeout": ["1", true, null, 0.0, 0, -1.0, NAN, INF, 1e9],
	"registrar_port": [8809.5, "8809", 1e300, NAN, true, 0, -1, 65536, 1 << 40],
	"channels": [1.5, "1", -1, 254],
	"compression": [1.5, "1", -1, 5],
	"in_bandwidth": [1.5, true, -1, 1 << 31],
	"out_bandwidth": [null, {}, -1, 1 << 40],
}


func _init() -> void:
	time_limit = 60.0


## Fails when a misspelled option is ignored.
func test_unknown_options() -> void:
	for key: Variant in ["relay", &"Lan", "LAN", " ", 1, null, Vector2.ZERO]:
		await _check_refused_options({key: true}, ["no option", str(key)])
	await _check_refused_options({"lan": false, "timeOut": 1.0}, ["timeOut"])


## Fails when an option of a wrong type, or out of range, is accepted.
func test_wrong_options() -> void:
	for key: String in WRONG:
		var values: Array = WRONG[key]
		for value: Variant in values:
			await _check_refused_options({key: value}, [key])
	check_equal(server.connection_count, 0, "connections")


## Fails when the sentence does not name the type it needs and the type it got.
func test_wrong_types_are_named() -> void:
	await _check_refused_options({"lan": "yes"}, ["'lan'", "bool", "String"])
	await _check_refused_options({"timeout": []}, ["'timeout'", "float", "Array"])
	await _check_refused_options({"channels": 1.5}, ["'channels'", "int", "float"])
	await _check_refused_options({"channels": 300}, ["'channels'", "300"])


## Fails when an option does not work, as a String or as a StringName.
func test_all_options() -> void:
	var all: Dictionary = {
		"force_relay": false,
		&"lan": false,
		"timeout": 10,
		&"registrar_port": server.registrar_port,
		"channels": 253,
		"in_bandwidth": 0,
		&"out_bandwidth": 1000000,
	}
	var host := start_player("host", "8", all)
	var oid := await oid_of(host)
	var peer: ENetMultiplayerPeer = await Noray.join(oid, here(), all)
	if not check(peer != null, Noray.last_error_message):
		return
	multiplayer.multiplayer_peer = peer
	# Godot has two of its own.
	check_equal(peer.get_peer(1).get_channels(), 255, "channels")
	await happens("1 said welcome 3")


## Fails when options that a game keeps as JSON are refused, or an OpenID from a chat.
func test_options_from_json_and_a_pasted_openid_do_not_keep_a_player_out() -> void:
	var text := JSON.stringify(options({"channels": 4, "timeout": 10, "lan": false}))
	var parsed: Dictionary = JSON.parse_string(text)
	check_equal(typeof(parsed["registrar_port"]), TYPE_FLOAT, "the type")
	var oid := await oid_of(start_player("host", "8", parsed))
	var peer: ENetMultiplayerPeer = await Noray.join(" \u200b%s\r\n" % oid, here(), parsed)
	if not check(peer != null, Noray.last_error_message):
		return
	multiplayer.multiplayer_peer = peer
	# Godot has two of its own.
	check_equal(peer.get_peer(1).get_channels(), 6, "channels")


## Fails when null as options gives the engine's error, or anything else than a Dictionary does.
func test_null_options_give_no_engine_error() -> void:
	var nothing: Variant = null
	var pending := record(Noray.host(here(), 8, nothing))
	await wait_until(func() -> bool: return Noray.is_connected_to_host(), 5.0)
	check(Noray.is_connected_to_host(), "it did not begin")
	expect_in_log("cannot host: the connection to the server ended")
	Noray.disconnect_from_host()
	check(await comes(pending), "it did not end")
	for wrong: Variant in ["", 1, []]:
		expect_in_log("cannot join: the options are a Dictionary")
		check_refused(await Noray.join("a", here(), wrong), ERR_INVALID_PARAMETER, ["Dictionary"])


## Fails when compression on both sides makes joining impossible, or a mode is not used.
func test_compression_does_not_keep_players_out() -> void:
	for mode: int in [
		ENetConnection.COMPRESS_RANGE_CODER, ENetConnection.COMPRESS_FASTLZ,
		ENetConnection.COMPRESS_ZLIB, ENetConnection.COMPRESS_ZSTD,
	]:
		events.clear()
		var oid := await oid_of(start_host(8, {"compression": mode}))
		await join_here(oid, {"compression": mode})
		await happens("1 said welcome 3")
		talk.say.rpc_id(1, "ping")
		await happens("1 said pong")
		multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()


## Fails when a dedicated host's OpenID dies with its process, or what it saves gets into the log.
func test_a_saved_identity_does_not_end_with_its_process() -> void:
	await host_here()
	var saved := Noray.get_identity()
	check_equal(saved, {"oid": Noray.oid, "pid": Noray.pid})
	for kept: Variant in [
		saved, JSON.parse_string(JSON.stringify(saved)), "%s %s" % [saved["oid"], saved["pid"]],
	]:
		Noray.leave()
		multiplayer.multiplayer_peer = null
		Noray.disconnect_from_host()
		await wait_seconds(0.2)
		await host_here(8, {"identity": kept})
		check_equal(Noray.oid, saved["oid"], "the OpenID")
		await oid_of(start_joining_player(Noray.oid))
	for none: Variant in [null, {}, ""]:
		Noray.leave()
		multiplayer.multiplayer_peer = null
		await host_here(8, {"identity": none})


## Fails when a saved identity that is none is used, or shown.
func test_a_wrong_identity_is_not_shown() -> void:
	for wrong: Variant in [
		{"oid": "a"}, {"pid": "secret"}, {"oid": "a b", "pid": "secret"}, "secret", "a b secret", 5,
		{"oid": "a", "pid": "secret\nregister-host"},
	]:
		expect_in_log("the option 'identity'")
		check_refused(
				await Noray.host(here(), 8, {"identity": wrong}), ERR_INVALID_PARAMETER, ["identity"]
		)
		check(not Noray.last_error_message.contains("secret"), Noray.last_error_message)


## Fails when, on either side, another path than the relay is used.
func test_force_relay() -> void:
	var oid := await oid_of(start_host(8))
	await join_here(oid, {"force_relay": true})
	await happens("1 said welcome 3")
	check_equal(Noray.get_connection(1).path as int, NorayConnection.Path.RELAY as int)
	check_equal(Noray.get_connection(1).address, HERE, "the address")
	check(server.relay_count >= 2, "%d relays" % server.relay_count)
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()

	events.clear()
	await join_here(await oid_of(start_host(8, {"force_relay": true})))
	await happens("1 said welcome 3")
	check_equal(Noray.get_connection(1).path as int, NorayConnection.Path.RELAY as int)
	await wait_seconds(2.0)
	check_equal(Noray.get_connection(1).path as int, NorayConnection.Path.RELAY as int, "later")


## Fails when the game's dictionary is changed.
func test_the_dictionary_stays_as_it_was() -> void:
	var mine := options({"lan": false})
	var before := mine.duplicate()
	await Noray.host(here(), 8, mine)
	check_equal(mine, before)
	check(not mine.is_read_only(), "it is read-only now")


## Fails when a usual notation of an address is not understood.
func test_addresses() -> void:
	for address: String in ["127.0.0.1:%d", " 127.0.0.1:%d ", "localhost:%d"]:
		var peer: ENetMultiplayerPeer = await Noray.host(address % server.port, 8, options())
		check(peer != null, "%s: %s" % [address, Noray.last_error_message])
		if peer != null:
			peer.close()


## Fails when an IPv6 address is not understood, or its IPv4 registrar not found.
func test_ipv6_addresses() -> void:
	var six := NorayServer.new()
	if six.start(0, 0, RELAY_PORTS, "::1") != OK:
		skip("this machine has no IPv6")
		return
	# Its registrar has IPv4 only.
	var peer: ENetMultiplayerPeer = await Noray.host(
			"[::1]:%d" % six.port, 8, {"registrar_port": six.registrar_port}
	)
	check(peer != null, Noray.last_error_message)
	if peer != null:
		peer.close()
	check_equal(six.player_count, 1, "players")


## Fails when nonsense is looked up, or the sentence does not name it.
func test_no_addresses() -> void:
	for address: String in [
		":1", "a:", "a:0", "a:65536", "a:-1", "a:+1", "a:b", "a b", "[::1", "[::1]x", "[]:1",
		"[a]:1", "a:1:2",
	]:
		await _check_refused_address(address, [address])


## Fails when the project's setting does not name the server.
func test_the_projects_server() -> void:
	await _check_refused_address("", [SERVER])
	await _check_refused_address("  ", [SERVER])
	ProjectSettings.set_setting(SERVER, "x:y")
	await _check_refused_address("", ["x:y"])
	ProjectSettings.set_setting(SERVER, here())
	var peer: ENetMultiplayerPeer = await Noray.host("", 8, options())
	check(peer != null, Noray.last_error_message)


func _check_refused_options(wrong: Dictionary, words: PackedStringArray) -> void:
	expect_in_log("cannot host: ")
	check_refused(await Noray.host(here(), 8, wrong), ERR_INVALID_PARAMETER, words)
	expect_in_log("cannot join: ")
	check_refused(await Noray.join("a", here(), wrong), ERR_INVALID_PARAMETER, words)


func _check_refused_address(address: String, words: PackedStringArray) -> void:
	expect_in_log("cannot host: ")
	check_refused(await Noray.host(address), ERR_INVALID_PARAMETER, words)
	expect_in_log("cannot join: ")
	check_refused(await Noray.join("a", address), ERR_INVALID_PARAMETER, words)
