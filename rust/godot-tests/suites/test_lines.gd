extends "res://support/noray_suite.gd"
## What a server, or whoever answers in its place, may send: cut anywhere, too much, garbage.

## In milliseconds; a longer frame is visible.
const LONG_FRAME := 0.25

var _server: FakeServer
var _commands: Array[Array]


func before_each() -> void:
	_server = FakeServer.new()
	await connect_to_fake(_server)
	_commands = record(Noray.on_command)


## Fails when a line that comes in pieces is not read, or a letter is cut in two.
func test_single_bytes() -> void:
	var oid := "\u00dcbung-\u65e5-\U01f980"
	var lines := "set-oid %s\nset-pid p\u00e4ss\nconnect 10.0.0.1:1001\r\n" % oid
	var direct := record(Noray.on_connect_nat)
	for byte in lines.to_utf8_buffer():
		_server.connection().say_bytes(PackedByteArray([byte]))
		await wait_frames(1)
	check(await comes(direct), "on_connect_nat came %d times" % direct.size())
	check_equal([Noray.oid, Noray.pid], [oid, "p\u00e4ss"])
	check_equal(direct, [["10.0.0.1", 1001]])
	check_equal(_commands.size(), 3, "commands")


## Fails when only some of the lines that come together are handled.
func test_many_lines_in_one_write() -> void:
	var direct := record(Noray.on_connect_nat)
	var relayed := record(Noray.on_connect_relay)
	_server.say("set-oid o\nset-pid p\nconnect 10.0.0.1:1\nconnect-relay 2\nfoo  bar baz \n\nqux\n")
	check(await comes(_commands, 6), "%d commands came" % _commands.size())
	check_equal(_commands, [
		["set-oid", "o"], ["set-pid", "p"], ["connect", "10.0.0.1:1"], ["connect-relay", "2"],
		["foo", " bar baz "], ["qux", ""],
	])
	check_equal([direct, relayed], [[["10.0.0.1", 1]], [[HERE, 2]]])


## Fails when the quotes of a server that greets are misread.
func test_quoted_lines() -> void:
	_server.say("hi \"noray v2.0.1\"\nfoo \"two\nlines \\\"quoted\\\" a\\nb\"\nbar plain \"quoted\"\n")
	check(await comes(_commands, 3), "%d commands came" % _commands.size())
	check_equal(_commands, [
		["hi", "noray v2.0.1"], ["foo", "two\nlines \"quoted\" a\nb"], ["bar", "plain quoted"],
	])


## Fails when quotes of a server that does not greet begin a line that never ends.
func test_quotes_of_an_old_server() -> void:
	_server.say("foo \"half\nconnect 10.0.0.1:1\n")
	check(await comes(_commands, 2), "%d commands came" % _commands.size())
	check_equal(_commands, [["foo", "\"half"], ["connect", "10.0.0.1:1"]])


## Fails when an endless line fills the memory, or takes the next lines with it.
func test_endless_lines() -> void:
	for turn in 3:
		expect_in_log("a line was longer than 16384 bytes and was skipped")
		_server.say("connect " + "9".repeat(200_000) + "\n")
	_server.say("after them\n")
	check(await comes(_commands), "%d commands came" % _commands.size())
	check_equal(_commands, [["after", "them"]])


## Fails when bytes that are no text end the connection or the game, or hide the next lines.
func test_garbage() -> void:
	var random := RandomNumberGenerator.new()
	random.seed = 1
	for turn in 50:
		var garbage: PackedByteArray = []
		for index in 200:
			garbage.append(random.randi() % 256)
		_server.connection().say_bytes(garbage)
	# Ends whatever line the garbage began.
	_server.say("\"\n\"\nconnect 10.0.0.1:1\n")
	var direct := record(Noray.on_connect_nat)
	check(await comes(direct), "on_connect_nat came %d times" % direct.size())
	check(Noray.is_connected_to_host(), "disconnected")


## Fails when a zero byte, which Godot's strings cannot hold, prints an error or cuts a line.
func test_zero_bytes() -> void:
	_server.connection().say_bytes(PackedByteArray([0x61, 0, 0x62, 0x20, 0x63, 0, 0x0A]))
	_server.connection().say_bytes(PackedByteArray([0, 0x0A, 0x0A]))
	_server.say("set-oid a")
	_server.connection().say_bytes(PackedByteArray([0]))
	_server.say("b\nconnect 10.0.0.1:1\n")
	var direct := record(Noray.on_connect_nat)
	check(await comes(direct), "on_connect_nat came %d times" % direct.size())


## Fails when a flood freezes the game, loses a line, or ends the connection.
func test_a_flood_of_unknown_commands() -> void:
	const COUNT := 6000
	var flood: PackedStringArray = []
	for index in COUNT:
		flood.append("flood %d" % index)
	var relayed := record(Noray.on_connect_relay)
	_server.say("\n".join(flood) + "\nconnect-relay 7\n")
	var longest := 0.0
	var last := Time.get_ticks_usec()
	var until := Time.get_ticks_msec() + 10_000
	while relayed.is_empty() and Time.get_ticks_msec() < until:
		await get_tree().process_frame
		longest = maxf(longest, (Time.get_ticks_usec() - last) / 1e6)
		last = Time.get_ticks_usec()
	check(longest < LONG_FRAME, "a frame took %s s" % longest)
	check_equal(relayed, [[HERE, 7]], "on_connect_relay")
	await wait_frames(1)
	check_equal(_commands.size(), COUNT + 1, "commands")
	var wrong := 0
	for index in COUNT:
		wrong += 0 if _commands[index] == ["flood", str(index)] else 1
	check_equal(wrong, 0, "commands out of order")


## Fails when lines that mean nothing reach the game as commands.
func test_a_flood_of_empty_lines() -> void:
	_server.say("\n".repeat(100_000) + "\r\n".repeat(1000) + " \n  x\n" + "end now\n")
	await wait_until(func() -> bool: return ["end", "now"] in _commands, 5.0)
	check_equal(_commands, [["end", "now"]])


## Fails when a busy server's lines are lost while the game does not run.
func test_a_game_that_stands_still() -> void:
	for index in 2000:
		_server.say("line %d\n" % index)
	OS.delay_msec(300)
	check(await comes(_commands, 2000), "%d commands came" % _commands.size())


## Fails when an identity that no registrar would accept reaches the game.
func test_wrong_ids() -> void:
	var pids := record(Noray.on_pid)
	_server.say("set-pid\nset-pid \nset-pid %s\nset-pid right\n" % "x".repeat(1300))
	check(await comes(_commands, 4), "%d commands came" % _commands.size())
	check_equal(pids, [["right"]])
