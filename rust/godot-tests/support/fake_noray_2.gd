extends "res://support/fake_noray.gd"
## Acts as noray 2.x: it greets, has no [code]echo[/code], and says no with a text in place of an
## address, behind all answers to the lines that came together.

var _refusals: Array[Callable] = []


func _greet(to: Link) -> void:
	to.say("hi \"noray v2.0.1\"\n")


func _refuse(to: Link, command: String, text: String) -> void:
	_refusals.append(func() -> void: to.say("%s \"%s\"\n" % [command, text]))


func _end_chunk(_link: Link) -> void:
	var due := _refusals
	_refusals = []
	for refusal: Callable in due:
		refusal.call()
