extends Node
## Carries words between a test and its child: both have this node at the same path.

## Words have come from a peer.
signal heard(from: int, words: String)

const NODE_NAME := "Talk"


## Adds the node to the running game.
static func add() -> Node:
	var talk: Node = load("res://children/talk.gd").new()
	talk.name = NODE_NAME
	(Engine.get_main_loop() as SceneTree).root.add_child(talk)
	return talk


@rpc("any_peer", "call_remote", "reliable")
func say(words: String) -> void:
	heard.emit(multiplayer.get_remote_sender_id(), words)
