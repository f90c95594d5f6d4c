extends "res://support/fake_noray.gd"
## Acts like noray 2.x: it greets, has no [code]echo[/code], and refuses with a text in place of an
## address, after the answers to all lines that arrived together with the request.

var _refusals: Array[Callable] = []


func _greet(to: Connection) -> void:
	to.say("hi \"noray v2.0.1\"\n")


func _refuse(to: Connection, command: String, text: String) -> void:
	_refusals.append(func() -> void: to.say("%s \"%s\"\n" % [command, text]))


func _end_chunk(_connection: Connection) -> void:
	var due := _refusals
	_refusals = []
	for refusal: Callable in due:
		refusal.call()
