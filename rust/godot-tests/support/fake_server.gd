extends RefCounted
## A TCP server on a free port of this machine. It records what arrives, and sends only what a test
## or a derived script makes it send.

## The most bytes read from a connection in a frame.
const CHUNK := 65536

## Where it listens.
var port: int = 0
## All connections so far, in the order in which they were accepted.
var connections: Array[Connection] = []
## All lines so far, without their LF.
var lines: PackedStringArray = []
## While it is false, the server neither accepts nor reads.
var is_awake: bool = true

var _listener: TCPServer = TCPServer.new()


func _init() -> void:
	_listener.listen(0, "127.0.0.1")
	port = _listener.get_local_port()
	_tree().process_frame.connect(_poll)


## The latest connection; null when there is none.
func connection() -> Connection:
	return null if connections.is_empty() else connections[-1]


## Sends [param text] to the latest connection.
func say(text: String) -> void:
	connection().say(text)


## Stops listening and closes all connections.
func stop() -> void:
	_listener.stop()
	close_connections()


## Closes all connections.
func close_connections() -> void:
	for each in connections:
		each.close()


## Called for each new connection.
func _greet(_connection: Connection) -> void:
	pass


## Called for each line.
func _take(_connection: Connection, _line: String) -> void:
	pass


## Called after the lines that arrived together.
func _end_chunk(_connection: Connection) -> void:
	pass


## Called once a frame, before the server reads.
func _begin_frame() -> void:
	pass


func _poll() -> void:
	if not is_awake:
		return
	_begin_frame()
	while _listener.is_connection_available():
		var accepted := Connection.new()
		accepted.stream = _listener.take_connection()
		accepted.stream.set_no_delay(true)
		connections.append(accepted)
		_greet(accepted)
	for each in connections:
		_read(each)


func _read(from: Connection) -> void:
	from.stream.poll()
	if not from.is_open():
		return
	var available := mini(from.stream.get_available_bytes(), CHUNK)
	if available <= 0:
		return
	var bytes: PackedByteArray = from.stream.get_data(available)[1]
	from.unfinished.append_array(bytes)
	var end := from.unfinished.find(0x0A)
	while end >= 0:
		var line := from.unfinished.slice(0, end).get_string_from_utf8()
		from.unfinished = from.unfinished.slice(end + 1)
		lines.append(line)
		_take(from, line)
		end = from.unfinished.find(0x0A)
	_end_chunk(from)


func _tree() -> SceneTree:
	return Engine.get_main_loop() as SceneTree


## A player's connection, seen from the server.
class Connection:
	extends RefCounted

	var stream: StreamPeerTCP
	var unfinished: PackedByteArray = []

	## Sends [param text] unchanged.
	func say(text: String) -> void:
		say_bytes(text.to_utf8_buffer())

	## Sends [param bytes] unchanged.
	func say_bytes(bytes: PackedByteArray) -> void:
		stream.put_data(bytes)

	func is_open() -> bool:
		return stream.get_status() == StreamPeerTCP.STATUS_CONNECTED

	func close() -> void:
		stream.disconnect_from_host()
