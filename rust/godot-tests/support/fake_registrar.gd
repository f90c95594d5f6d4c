extends RefCounted
## A registrar that records what arrives, and answers what a test tells it to.

## Where it listens.
var port: int = 0
## All datagrams so far.
var datagrams: Array[Datagram] = []
## Returns the answer to a datagram's text, as a [code]func(String) -> String[/code]; an empty text
## is no answer. The registrar is silent without it.
var answer: Callable

var _socket: PacketPeerUDP = PacketPeerUDP.new()


func _init() -> void:
	_socket.bind(0, "127.0.0.1")
	port = _socket.get_local_port()
	(Engine.get_main_loop() as SceneTree).process_frame.connect(_poll)


func stop() -> void:
	_socket.close()


func _poll() -> void:
	while _socket.get_available_packet_count() > 0:
		var datagram := Datagram.new()
		datagram.text = _socket.get_packet().get_string_from_utf8()
		datagram.ip = _socket.get_packet_ip()
		datagram.port = _socket.get_packet_port()
		datagrams.append(datagram)
		if not answer.is_valid():
			continue
		var text: String = answer.call(datagram.text)
		if not text.is_empty():
			_socket.set_dest_address(datagram.ip, datagram.port)
			_socket.put_packet(text.to_utf8_buffer())


## A datagram and its sender.
class Datagram:
	extends RefCounted

	var text: String
	var ip: String
	var port: int
