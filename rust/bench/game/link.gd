extends Node
## A process of [code]cargo xtask bench[/code] that measures the link: ENet's datagrams go to the
## other process through the link, or straight. It prints [code][bench] <name> <value>[/code].
##
## It does not wait for frames, but services ENet in a loop that sleeps until something arrives.

const ADDRESS: String = "127.0.0.1"
const PAYLOAD_BYTES: int = 100
const CHANNEL: int = 1
const CHANNELS: int = 4
const WARM_UP: int = 200
const PINGS: int = 3000
## The longest wait for a packet, in milliseconds.
const PATIENCE: int = 2000
## From packet to packet. With the answers, a thousand packets a second.
const LOAD_PAUSE_USEC: int = 2000
const LOAD_SECONDS: float = 4.0

var _arguments: Dictionary = {}


func _ready() -> void:
	for argument: String in OS.get_cmdline_user_args():
		var parts: PackedStringArray = argument.trim_prefix("--").split("=", true, 1)
		_arguments[parts[0]] = parts[1] if parts.size() > 1 else ""
	await get_tree().process_frame
	if _arguments.get("role", "") == "echo":
		await _echo()
	else:
		await _ping()


func _echo() -> void:
	var connection: ENetConnection
	if _is_linked():
		var peer: ENetMultiplayerPeer = await Noray.host(_server(), CHANNELS, _options())
		if peer == null:
			_end(Noray.last_error_message)
			return
		connection = peer.host
		_say("target", Noray.oid)
	else:
		connection = ENetConnection.new()
		var error: Error = connection.create_host_bound(ADDRESS, 0, CHANNELS, CHANNELS)
		if error != OK:
			_end("no bare ENet: %s" % error_string(error))
			return
		_say("target", str(connection.get_local_port()))
	while true:
		var event: Array = connection.service(PATIENCE)
		var type: ENetConnection.EventType = event[0]
		if type == ENetConnection.EVENT_RECEIVE:
			var other: ENetPacketPeer = event[1]
			other.send(CHANNEL, other.get_packet(), ENetPacketPeer.FLAG_UNSEQUENCED)
			connection.flush()
		elif type == ENetConnection.EVENT_DISCONNECT:
			_end()
			return


func _ping() -> void:
	var target: String = _arguments.get("target", "")
	var connection: ENetConnection
	var other: ENetPacketPeer
	if _is_linked():
		var peer: ENetMultiplayerPeer = await Noray.join(target, _server(), _options())
		if peer == null:
			_end(Noray.last_error_message)
			return
		connection = peer.host
		other = peer.get_peer(1)
	else:
		connection = ENetConnection.new()
		connection.create_host_bound(ADDRESS, 0, 1, CHANNELS)
		other = connection.connect_to_host(ADDRESS, target.to_int(), CHANNELS)
		var event: Array = connection.service(PATIENCE)
		if event[0] != ENetConnection.EVENT_CONNECT:
			_end("bare ENet does not connect")
			return
	var payload: PackedByteArray = []
	payload.resize(PAYLOAD_BYTES)
	for index: int in WARM_UP + PINGS:
		var begun: int = Time.get_ticks_usec()
		other.send(CHANNEL, payload, ENetPacketPeer.FLAG_UNSEQUENCED)
		if not _receive(connection, PATIENCE):
			_end("a packet is lost")
			return
		if index >= WARM_UP:
			_say("round_trip_usec", str(Time.get_ticks_usec() - begun))
	_load(connection, other, payload)
	other.peer_disconnect()
	connection.service(PATIENCE)
	_end()


## Sends and receives at a steady pace, and prints how much processor time this process takes.
func _load(connection: ENetConnection, other: ENetPacketPeer, payload: PackedByteArray) -> void:
	var before: float = _processor_usec()
	var begun: int = Time.get_ticks_usec()
	var next: int = begun
	while Time.get_ticks_usec() - begun < LOAD_SECONDS * 1e6:
		other.send(CHANNEL, payload, ENetPacketPeer.FLAG_UNSEQUENCED)
		_receive(connection, PATIENCE)
		next += LOAD_PAUSE_USEC
		OS.delay_usec(maxi(next - Time.get_ticks_usec(), 0))
	var seconds: float = (Time.get_ticks_usec() - begun) / 1e6
	var after: float = _processor_usec()
	if before >= 0.0 and after >= 0.0:
		_say("processor_usec_per_second", str((after - before) / seconds))


func _receive(connection: ENetConnection, patience: int) -> bool:
	var until: int = Time.get_ticks_msec() + patience
	connection.flush()
	while Time.get_ticks_msec() < until:
		var event: Array = connection.service(patience)
		if event[0] == ENetConnection.EVENT_RECEIVE:
			var sender: ENetPacketPeer = event[1]
			sender.get_packet()
			return true
	return false


## Returns the processor time of all threads of this process so far; negative where the system does
## not tell.
func _processor_usec() -> float:
	var output: Array = []
	var command: String = "cat /proc/%d/task/*/schedstat" % OS.get_process_id()
	if OS.get_name() != "Linux" or OS.execute("sh", ["-c", command], output) != 0:
		return -1.0
	var text: String = output[0]
	var nanoseconds: float = 0.0
	for line: String in text.split("\n", false):
		nanoseconds += line.get_slice(" ", 0).to_float()
	return nanoseconds / 1000.0


func _is_linked() -> bool:
	return _arguments.get("through", "") == "link"


func _server() -> String:
	return "%s:%s" % [ADDRESS, _arguments.get("port", "8890")]


func _options() -> Dictionary:
	var port: String = _arguments.get("registrar-port", "8809")
	return {"registrar_port": port.to_int()}


func _say(key: String, value: String) -> void:
	print("[bench] %s %s" % [key, value])


func _end(failure: String = "") -> void:
	if failure:
		printerr("benchmark failed: ", failure)
	get_tree().quit(1 if failure else 0)
