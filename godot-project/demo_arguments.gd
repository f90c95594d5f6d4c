class_name DemoArguments
extends RefCounted
## The demo's command line, after a lone [code]--[/code].
##
## [codeblock lang=text]
## --host                       host a game at once
## --join <oid>                 join the host with this OpenID at once
## --name <name>                the player's name
## --noray <name[:port]>        the noray server's address (this computer's)
## --registrar-port <port>      its registrar's UDP port (8809)
## --run-server                 with --host: run the noray server in this game
## --noray-port <port>          with --run-server: its TCP port, 0 for any free one (8890)
## --relay                      join by relay, without trying a direct path
## --bot                        let the figure walk around by itself
## --quit-when-met              quit with exit code 0 once this player and the others have seen
##                              each other move; with 1 on failure, or after 60 s
## --others <count>             with --quit-when-met: how many others to meet at least (1)
## --shot <file.png>            save a picture of the window
## --shot-after <seconds>       when, counted from the start (4)
## [/codeblock]

var wants_to_host: bool = false
var oid_to_join: String = ""
var player_name: String = ""
## Empty for this computer's.
var noray_address: String = ""
var registrar_port: int = NorayAddress.DEFAULT_REGISTRAR_PORT
var run_server: bool = false
var force_relay: bool = false
var is_bot: bool = false
var quit_when_met: bool = false
var others_to_meet: int = 1
var shot_file: String = ""
var shot_after: float = 4.0

## What is wrong with the arguments, a sentence each.
var mistakes: PackedStringArray = []


## Reads [param words], usually [method OS.get_cmdline_user_args].
static func parse(words: PackedStringArray) -> DemoArguments:
	var arguments := DemoArguments.new()
	var rest: Array[String] = []
	rest.assign(words)
	while not rest.is_empty():
		arguments._take(rest.pop_front() as String, rest)
	return arguments


func _take(word: String, rest: Array[String]) -> void:
	match word:
		"--host":
			wants_to_host = true
		"--join":
			oid_to_join = _value(word, rest)
		"--name":
			player_name = _value(word, rest)
		"--noray":
			noray_address = _value(word, rest)
		"--registrar-port":
			registrar_port = _port(word, rest)
		"--run-server":
			run_server = true
		"--noray-port":
			var port := _port(word, rest)
			noray_address = "127.0.0.1:%d" % port
			# A server on any free port must not collide with the registrar of another.
			if port == 0:
				registrar_port = 0
		"--relay":
			force_relay = true
		"--bot":
			is_bot = true
		"--quit-when-met":
			quit_when_met = true
		"--others":
			others_to_meet = clampi(_value(word, rest).to_int(), 1, NoraySession.MAX_PLAYERS - 1)
		"--shot":
			shot_file = _value(word, rest)
		"--shot-after":
			shot_after = _value(word, rest).to_float()
		_:
			mistakes.append("Unknown argument '%s'; demo_arguments.gd lists all of them." % word)


func _value(word: String, rest: Array[String]) -> String:
	if rest.is_empty():
		mistakes.append("'%s' needs a value." % word)
		return ""
	return rest.pop_front() as String


func _port(word: String, rest: Array[String]) -> int:
	var text := _value(word, rest)
	if not text.is_valid_int() or text.to_int() < 0 or text.to_int() > 65535:
		mistakes.append("'%s' needs a port from 0 to 65535." % word)
		return 0
	return text.to_int()
