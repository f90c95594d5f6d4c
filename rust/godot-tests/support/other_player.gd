extends RefCounted
## Another player on a plain client, which records what it receives.

## The lines received so far, in order.
var lines: PackedStringArray = []
var oid: String = ""
var pid: String = ""
## The registered socket.
var udp: PacketPeerUDP = PacketPeerUDP.new()

var _stream: StreamPeerTCP = StreamPeerTCP.new()
var _unfinished: PackedByteArray = []


func _init() -> void:
	_tree().process_frame.connect(_poll)


## Connects to a server, gets an identity, and registers [member udp]. Returns whether it worked.
func join(port: int, registrar_port: int) -> bool:
	if not await connect_to(port):
		return false
	say("register-host")
	if not await _until(func() -> bool: return not pid.is_empty()):
		return false
	return await register(registrar_port)


func connect_to(port: int) -> bool:
	_stream.connect_to_host("127.0.0.1", port)
	return await _until(is_open)


func register(registrar_port: int) -> bool:
	udp.bind(0, "0.0.0.0")
	udp.set_dest_address("127.0.0.1", registrar_port)
	udp.put_packet(pid.to_utf8_buffer())
	if not await _until(func() -> bool: return udp.get_available_packet_count() > 0):
		return false
	return udp.get_packet().get_string_from_utf8() == "OK"


func say(line: String) -> void:
	_stream.put_data((line + "\n").to_utf8_buffer())


func is_open() -> bool:
	return _stream.get_status() == StreamPeerTCP.STATUS_CONNECTED


func leave() -> void:
	_stream.disconnect_from_host()
	udp.close()


## Returns the data of the first such command; empty when none has come.
func data_of(command: String) -> String:
	for line in lines:
		if line.begins_with(command + " "):
			return line.trim_prefix(command + " ")
	return ""


## Waits for a command and returns its data; empty when it does not come.
func wait_for(command: String) -> String:
	await _until(func() -> bool: return not data_of(command).is_empty())
	return data_of(command)


func _poll() -> void:
	_stream.poll()
	if not is_open():
		return
	var available := _stream.get_available_bytes()
	if available <= 0:
		return
	var bytes: PackedByteArray = _stream.get_data(available)[1]
	_unfinished.append_array(bytes)
	var end := _unfinished.find(0x0A)
	while end >= 0:
		_take(_unfinished.slice(0, end).get_string_from_utf8())
		_unfinished = _unfinished.slice(end + 1)
		end = _unfinished.find(0x0A)


func _take(line: String) -> void:
	lines.append(line)
	if line.begins_with("set-oid "):
		oid = line.trim_prefix("set-oid ")
	elif line.begins_with("set-pid "):
		pid = line.trim_prefix("set-pid ")


func _until(condition: Callable) -> bool:
	var until := Time.get_ticks_msec() + 5000
	while not condition.call():
		if Time.get_ticks_msec() >= until:
			return false
		await _tree().process_frame
	return true


func _tree() -> SceneTree:
	return Engine.get_main_loop() as SceneTree
