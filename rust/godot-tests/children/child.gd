extends Node
## Runs the script beside it that the first argument names.


func _ready() -> void:
	# As in a game.
	Engine.max_fps = 60
	var arguments := OS.get_cmdline_user_args()
	var script := load("res://children/%s.gd" % arguments[0]) as GDScript
	var node: Node = script.new()
	# The same path in every process, for calls between them.
	node.name = "Script"
	node.call(&"begin", arguments.slice(1))
	add_child(node)
