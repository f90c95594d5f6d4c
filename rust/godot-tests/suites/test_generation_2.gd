extends "res://support/noray_suite.gd"
## A server like noray 2.x, which greets, and refuses with a text in place of an address.

const FakeNoray2 := preload("res://support/fake_noray_2.gd")

## Data that is no address or port of another player.
const NO_ADDRESS: PackedStringArray = [
	"connect Error: Unknown host oid: 1.2.3.4:80",
	"connect 1.2.3.4",
	"connect 1.2.3.4:",
	"connect 1.2.3.4:0",
	"connect 1.2.3.4:65536",
	"connect 1.2.3.4:80x",
	"connect 1.2.3.4:-80",
	"connect 1.2.3:80",
	"connect :80",
	"connect localhost:80",
	"connect 0.0.0.0:80",
	"connect 255.255.255.255:80",
	"connect 224.0.0.1:80",
	"connect 1.2.3.4:80 5.6.7.8:80",
	"connect",
	"connect-relay 0",
	"connect-relay 65536",
	"connect-relay -1",
	"connect-relay 12x",
	"connect-relay 1.5",
	"connect-relay 1.2.3.4:80",
	"connect-relay Error: 4711",
	"connect-relay",
]

var _server: FakeNoray2
var _direct: Array[Array]
var _relayed: Array[Array]
var _failed: Array[Array]


func before_each() -> void:
	_server = FakeNoray2.new()
	_server.add_entry("host-a", "10.0.0.1:1001")
	_server.add_entry("host-b", "10.0.0.2:1002")
	await join(_server.port, _server.registrar.port)
	_direct = record(Noray.on_connect_nat)
	_relayed = record(Noray.on_connect_relay)
	_failed = record(Noray.connect_failed)


## Fails when an answer without echoes around it is missed, or followed by a failure.
func test_direct_and_by_relay() -> void:
	Noray.connect_nat("host-a")
	Noray.connect_relay("host-b")
	check(await comes(_direct), "on_connect_nat came %d times" % _direct.size())
	check(await comes(_relayed), "on_connect_relay came %d times" % _relayed.size())
	await wait_seconds(0.2)
	check_equal([_direct, _relayed, _failed], [[["10.0.0.1", 1001]], [[HERE, 50100]], []])


## Fails when the text is lost, shown with its quotes, or taken for an address.
func test_refusals() -> void:
	var commands := record(Noray.on_command)
	expect_in_log("no direct connection to 'nobody': the server refused: Error: Unknown host oid")
	expect_in_log("no relay to 'no-one': the server refused: Error: Unknown host oid")
	Noray.connect_nat("nobody")
	Noray.connect_relay("no-one")
	check(await comes(_failed, 2), "connect_failed came %d times" % _failed.size())
	check_equal(_failed[0].slice(0, 2), ["nobody", ERR_CANT_CONNECT as int])
	check_equal(_failed[1].slice(0, 2), ["no-one", ERR_CANT_CONNECT as int])
	check_message(["no-one", "Error: Unknown host oid: no-one"])
	check_equal([_direct, _relayed], [[], []], "connects")
	check_equal(commands, [
		["connect", "Error: Unknown host oid: nobody"],
		["connect-relay", "Error: Unknown host oid: no-one"],
	])


## Fails when a refusal counts for the wrong request.
func test_many_at_once() -> void:
	_server.add_entry("mute", "")
	for oid: String in ["nobody", "host-a", "mute", "host-b", "no-one"]:
		Noray.connect_nat(oid)
	for oid: String in ["nobody", "mute", "no-one"]:
		expect_in_log("no direct connection to '%s': the server refused: Error:" % oid)
	check(await comes(_failed, 3), "connect_failed came %d times" % _failed.size())
	check(await comes(_direct, 2), "on_connect_nat came %d times" % _direct.size())
	var told: Array[String] = []
	for emission in _failed:
		told.append(emission[0])
	check_equal(told, ["nobody", "mute", "no-one"] as Array[String])
	var mute: String = _failed[1][2]
	check(mute.contains("Host has no remote address registered"), mute)


## Fails when a refusal that names no OpenID is lost.
func test_a_player_without_address() -> void:
	await get_identity(_server.port)
	expect_in_log("Client has no remote address registered")
	Noray.connect_nat("host-a")
	check(await comes(_failed), "connect_failed came %d times" % _failed.size())


## Fails when a game is told to connect to something that is no address of one player.
func test_what_is_no_address_is_an_error() -> void:
	# No request is open that they could answer.
	for line in NO_ADDRESS:
		_failed.clear()
		var words := line.split(" ", true, 1)
		var text := words[1] if words.size() > 1 else ""
		var what := "no relay" if words[0] == "connect-relay" else "no direct connection"
		expect_in_log("%s to '': the server refused: %s" % [what, text])
		_server.say(line + "\n")
		if not check(await comes(_failed), "'%s' failed %d times" % [line, _failed.size()]):
			continue
		check_equal(_failed[0].slice(0, 2), ["", ERR_CANT_CONNECT as int], line)
	check_equal([_direct, _relayed], [[], []], "connects")


## Fails when a server's text breaks a line of the log, or floods it.
func test_texts_are_shown_as_one_short_line() -> void:
	expect_in_log("no direct connection to '': the server refused: Error: second third line")
	_server.say("connect \"Error:\nsecond\\nthird\tline \\\"quoted\\\" %s\"\n" % "x".repeat(5000))
	check(await comes(_failed), "connect_failed came %d times" % _failed.size())
	var message: String = _failed[0][2]
	check(message.contains("Error: second third line \"quoted\" xxx"), message)
	check(not message.contains("\n") and not message.contains("\t"), "it has a line break")
	check(message.length() < 300, "it has %d characters" % message.length())


## Fails when an IPv6 address, in either form that servers send, is cut at a colon.
func test_addresses_of_version_6() -> void:
	_server.say("connect [2001:db8::1]:4001\nconnect 2001:db8::2:4002\nconnect ::ffff:1.2.3.4:4003\n")
	check(await comes(_direct, 3), "on_connect_nat came %d times" % _direct.size())
	check_equal(_direct, [["2001:db8::1", 4001], ["2001:db8::2", 4002], ["1.2.3.4", 4003]])


## Fails when the extension sends echoes or quotes to a server that knows neither.
func test_what_is_sent() -> void:
	_server.lines.clear()
	Noray.connect_nat("host-a")
	Noray.connect_relay("host-b")
	await comes(_relayed)
	await wait_seconds(0.2)
	check_equal(_server.lines, PackedStringArray(["connect host-a", "connect-relay host-b"]))
