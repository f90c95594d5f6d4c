extends "res://support/fake_server.gd"
## A line to a noray server that can break, as in a network that is gone for a moment: the player
## notices, the server does not.

## Towards the server, one for each of [member links].
var _upstream: Array[StreamPeerTCP] = []
var _server_port: int


func _init(server_port: int) -> void:
	super()
	_server_port = server_port


## Breaks the line of each player who has one now.
func break_lines() -> void:
	close_links()


## Lets the server know too.
func stop() -> void:
	super()
	for stream in _upstream:
		stream.disconnect_from_host()


func _greet(_link: Link) -> void:
	var stream := StreamPeerTCP.new()
	stream.connect_to_host("127.0.0.1", _server_port)
	_upstream.append(stream)


func _take(from: Link, line: String) -> void:
	var stream := _upstream[links.find(from)]
	while stream.get_status() == StreamPeerTCP.STATUS_CONNECTING:
		stream.poll()
	stream.put_data((line + "\n").to_utf8_buffer())


func _begin_frame() -> void:
	for index in _upstream.size():
		var stream := _upstream[index]
		stream.poll()
		var available := stream.get_available_bytes()
		if available > 0 and links[index].is_open():
			links[index].say_bytes(stream.get_data(available)[1])
