extends RefCounted
## A server that answers nobody: it accepts no connection, and its queue is full.

## More connections than the queue of Godot's listener holds.
const FILL := 16

var port: int = 0

var _listener: TCPServer = TCPServer.new()
var _fillers: Array[StreamPeerTCP] = []


func _init() -> void:
	_listener.listen(0, "127.0.0.1")
	port = _listener.get_local_port()


## Fills the queue.
func fill() -> void:
	for index in FILL:
		var filler := StreamPeerTCP.new()
		filler.connect_to_host("127.0.0.1", port)
		_fillers.append(filler)
	await (Engine.get_main_loop() as SceneTree).create_timer(0.1).timeout
