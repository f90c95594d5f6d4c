extends "res://support/fake_server.gd"
## A proxy in front of a noray server. When its connections break, as when a network is gone for a
## moment, the player notices and the server does not.

## The server's side of each of [member connections].
var _upstream: Array[StreamPeerTCP] = []
var _server_port: int


func _init(server_port: int) -> void:
	super()
	_server_port = server_port


## Also closes the server's side.
func stop() -> void:
	super()
	for stream in _upstream:
		stream.disconnect_from_host()


func _greet(_connection: Connection) -> void:
	var stream := StreamPeerTCP.new()
	stream.connect_to_host("127.0.0.1", _server_port)
	_upstream.append(stream)


func _take(from: Connection, line: String) -> void:
	var stream := _upstream[connections.find(from)]
	while stream.get_status() == StreamPeerTCP.STATUS_CONNECTING:
		stream.poll()
	stream.put_data((line + "\n").to_utf8_buffer())


func _begin_frame() -> void:
	for index in _upstream.size():
		var stream := _upstream[index]
		stream.poll()
		var available := stream.get_available_bytes()
		if available > 0 and connections[index].is_open():
			connections[index].say_bytes(stream.get_data(available)[1])
