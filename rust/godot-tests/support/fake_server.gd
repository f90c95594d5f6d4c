extends RefCounted
## A TCP server of the tests' own, on a free port of this machine. It notes what comes and says
## only what a test, or a script that extends it, makes it say.

## Most bytes that are taken from one link in a frame.
const CHUNK := 65536

## Where it listens.
var port: int = 0
## All links that were ever accepted, in their order.
var links: Array[Link] = []
## All lines that came, without their LF, in their order.
var lines: PackedStringArray = []
## Whether it accepts and reads; else what comes waits in the system.
var is_awake: bool = true

var _listener: TCPServer = TCPServer.new()


func _init() -> void:
	_listener.listen(0, "127.0.0.1")
	port = _listener.get_local_port()
	_tree().process_frame.connect(_poll)


## The link that was accepted last; null when there is none.
func link() -> Link:
	return null if links.is_empty() else links[-1]


## Says something on the link that was accepted last.
func say(text: String) -> void:
	link().say(text)


## Closes all links and stops to listen.
func stop() -> void:
	_listener.stop()
	close_links()


## Closes all links.
func close_links() -> void:
	for each in links:
		each.close()


## A link was accepted.
func _greet(_link: Link) -> void:
	pass


## A line came.
func _take(_link: Link, _line: String) -> void:
	pass


## All lines were handled that came together.
func _end_chunk(_link: Link) -> void:
	pass


## Once a frame, before anything is read.
func _begin_frame() -> void:
	pass


func _poll() -> void:
	if not is_awake:
		return
	_begin_frame()
	while _listener.is_connection_available():
		var accepted := Link.new()
		accepted.stream = _listener.take_connection()
		accepted.stream.set_no_delay(true)
		links.append(accepted)
		_greet(accepted)
	for each in links:
		_read(each)


func _read(from: Link) -> void:
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
class Link:
	extends RefCounted

	var stream: StreamPeerTCP
	var unfinished: PackedByteArray = []

	## Writes text as it stands.
	func say(text: String) -> void:
		say_bytes(text.to_utf8_buffer())

	## Writes bytes as they stand.
	func say_bytes(bytes: PackedByteArray) -> void:
		stream.put_data(bytes)

	func is_open() -> bool:
		return stream.get_status() == StreamPeerTCP.STATUS_CONNECTED

	func close() -> void:
		stream.disconnect_from_host()
