extends "res://support/noray_suite.gd"
## A server like noray 1.4.x, which refuses with silence.

const FakeNoray1 := preload("res://support/fake_noray_1.gd")

var _server: FakeNoray1
var _direct: Array[Array]
var _relayed: Array[Array]
var _failed: Array[Array]
var _commands: Array[Array]


func before_each() -> void:
	_server = FakeNoray1.new()
	_server.add_entry("host-a", "10.0.0.1:1001")
	_server.add_entry("host-b", "10.0.0.2:1002")
	await join(_server.port, _server.registrar.port)
	_direct = record(Noray.on_connect_nat)
	_relayed = record(Noray.on_connect_relay)
	_failed = record(Noray.connect_failed)
	_commands = record(Noray.on_command)


## Fails when an answer between the echoes is missed.
func test_direct() -> void:
	Noray.connect_nat("host-a")
	await _check(
			[["10.0.0.1", 1001]], [], [], [["connect", "10.0.0.1:1001"]]
	)


## Fails when a relay's port, which comes after the second echo, counts as too late.
func test_by_relay() -> void:
	Noray.connect_relay("host-a")
	await _check([], [[HERE, 50100]], [], [["connect-relay", "50100"]])


## Fails when a refusal by silence is not told, or only after the time-out.
func test_unknown_players_are_told_soon() -> void:
	var began := Time.get_ticks_msec()
	expect_in_log("no direct connection to 'nobody': the server does not connect")
	expect_in_log("no relay to 'no-one': the server does not connect")
	Noray.connect_nat("nobody")
	Noray.connect_relay("no-one")
	check(await comes(_failed, 2), "connect_failed came %d times" % _failed.size())
	check(Time.get_ticks_msec() - began < 1000, "it took long")
	check_equal(_failed[0].slice(0, 2), ["nobody", ERR_CANT_CONNECT as int])
	check_equal(_failed[1].slice(0, 2), ["no-one", ERR_CANT_CONNECT as int])
	check_message(["no relay to 'no-one'", "remote address"])
	# The game does not see the echoes.
	check_equal(_commands, [] as Array[Array], "commands")


## Fails when a host that has not registered seems to be reachable.
func test_hosts_without_address() -> void:
	_server.add_entry("mute", "")
	expect_in_log("no direct connection to 'mute'")
	expect_in_log("no relay to 'mute'")
	Noray.connect_nat("mute")
	Noray.connect_relay("mute")
	check(await comes(_failed, 2), "connect_failed came %d times" % _failed.size())


## Fails when an answer counts for the wrong request.
func test_many_at_once() -> void:
	for oid: String in ["host-a", "nobody", "host-b", "no-one"]:
		Noray.connect_nat(oid)
		Noray.connect_relay(oid)
	for oid: String in ["nobody", "no-one"]:
		expect_in_log("no direct connection to '%s'" % oid)
		expect_in_log("no relay to '%s'" % oid)
	check(await comes(_failed, 4), "connect_failed came %d times" % _failed.size())
	check(await comes(_relayed, 2), "on_connect_relay came %d times" % _relayed.size())
	check_equal(_direct, [["10.0.0.1", 1001], ["10.0.0.2", 1002]])
	check_equal(_relayed, [[HERE, 50100], [HERE, 50102]])
	var told: Array[String] = []
	for emission in _failed:
		told.append(emission[0])
	told.sort()
	check_equal(told, ["no-one", "no-one", "nobody", "nobody"] as Array[String])


## Fails when a slow server is taken for one that refuses.
func test_a_slow_server() -> void:
	_server.is_awake = false
	Noray.connect_nat("host-a")
	Noray.connect_relay("host-b")
	await wait_seconds(0.7)
	check_equal(_failed.size(), 0, "connect_failed, before the server woke")
	_server.is_awake = true
	await _check([["10.0.0.1", 1001]], [[HERE, 50100]], [], [
		["connect", "10.0.0.1:1001"], ["connect-relay", "50100"],
	])


## Fails when another player's connect, which comes first, is taken for the answer.
func test_a_connect_that_nobody_asked_for() -> void:
	_server.is_awake = false
	Noray.connect_nat("nobody")
	_server.say("connect 10.9.9.9:999\n")
	expect_in_log("no direct connection to 'nobody'")
	await comes(_direct)
	_server.is_awake = true
	check(await comes(_failed), "connect_failed came %d times" % _failed.size())
	check_equal(_direct, [["10.9.9.9", 999]])


## Fails when the player's own OpenID, whose line comes twice, is misread.
func test_own_open_id() -> void:
	Noray.connect_nat(Noray.oid)
	var ours := [HERE, Noray.local_port]
	var line := ["connect", "%s:%d" % ours]
	await _check([ours, ours], [], [], [line, line])


## Fails when an echo that is not one of ours is hidden from the game.
func test_only_fences_are_hidden() -> void:
	_server.say("echo hello\necho noray-godot-\necho noray-godot-x\n")
	check(await comes(_commands, 3), "%d commands came" % _commands.size())
	check_equal(_commands[0], ["echo", "hello"])


## Fails when the extension sends an old server more than the echoes around a request.
func test_what_is_sent() -> void:
	_server.lines.clear()
	Noray.connect_nat("host-a")
	await comes(_direct)
	Noray.connect_relay("host-b")
	await comes(_relayed)
	await wait_seconds(0.2)
	var said: PackedStringArray = []
	for line in _server.lines:
		if not line.begins_with("echo noray-godot-"):
			said.append(line)
	check_equal(said, PackedStringArray(["connect host-a", "connect-relay host-b"]))
	check(_server.lines.size() <= 7, "%d lines were sent" % _server.lines.size())


## Checks what came, now and soon.
func _check(direct: Array, relayed: Array, failed: Array, commands: Array) -> void:
	await wait_until(func() -> bool: return _commands.size() >= commands.size(), 5.0)
	await wait_seconds(0.3)
	check_equal([_direct, _relayed, _failed, _commands], [direct, relayed, failed, commands])
