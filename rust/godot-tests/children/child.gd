extends Node
## Runs one of the scripts beside it, named by the first argument, in a process of its own.


func _ready() -> void:
	# As in a game.
	Engine.max_fps = 60
	var arguments := OS.get_cmdline_user_args()
	var script := load("res://children/%s.gd" % arguments[0]) as GDScript
	var node: Node = script.new()
	# The same in every process, for calls between them.
	node.name = "Script"
	node.call(&"begin", arguments.slice(1))
	add_child(node)
