extends Node
## A process of [code]cargo xtask bench[/code], whose [code]--role[/code] says what it measures:
## waits as a host or as a player, the idle singleton, or a look-up. It prints
## [code][bench] <name> <value>[/code].

const FRAMES_PER_SECOND: int = 60
## Emissions of the frame signal that are timed together.
const EMISSIONS: int = 20000
## How often they are timed.
const SAMPLES: int = 21
## How long each look-up hangs.
const LOOK_UP_SECONDS: float = 2.0
const LOOK_UPS: int = 9

var _arguments: Dictionary = {}
var _host_peer: ENetMultiplayerPeer
## The frame in which the latest player was connected on the host; -1 while it is not.
var _connected_frame: int = -1
var _longest_frame_usec: int = 0
var _last_frame_usec: int = 0


func _ready() -> void:
	Engine.max_fps = FRAMES_PER_SECOND
	_read_arguments()
	# The first frames of a process are slow.
	for _frame: int in 30:
		await get_tree().process_frame
	match _arguments.get("role", ""):
		"host":
			await _host()
		"player":
			await _play()
		"idle":
			await _idle()
		"dns":
			await _look_up()
		var role:
			_end("no role '%s'" % role)


func _process(_delta: float) -> void:
	var now: int = Time.get_ticks_usec()
	if _last_frame_usec > 0:
		_longest_frame_usec = maxi(_longest_frame_usec, now - _last_frame_usec)
	_last_frame_usec = now


func _host() -> void:
	if not await _register():
		return
	_host_peer = ENetMultiplayerPeer.new()
	var error: Error = _host_peer.create_server(Noray.local_port)
	if error != OK:
		_end("no server on port %d: %s" % [Noray.local_port, error_string(error)])
		return
	multiplayer.multiplayer_peer = _host_peer
	multiplayer.peer_connected.connect(
		func(_id: int) -> void: _connected_frame = Engine.get_process_frames()
	)
	Noray.on_connect_nat.connect(_welcome)
	_say("oid", Noray.oid)


func _welcome(address: String, port: int) -> void:
	_connected_frame = -1
	var error: Error = await PacketHandshake.over_enet_peer(_host_peer, address, port)
	var ended: int = Engine.get_process_frames()
	while _connected_frame < 0:
		await get_tree().process_frame
	if error == OK:
		_say("host_ends_after", str(maxi(ended - _connected_frame, 0)))


func _play() -> void:
	var rounds: int = _arguments.get("rounds", "20").to_int()
	for _round: int in rounds:
		if not await _register(true):
			return
	for _round: int in rounds:
		if not await _join(_arguments.get("oid", "")):
			return
		await get_tree().create_timer(0.25).timeout
	_end()


func _join(oid: String) -> bool:
	await get_tree().process_frame
	var frame: int = Engine.get_process_frames()
	var begun: int = Time.get_ticks_usec()
	Noray.connect_nat(oid)
	var target: Array = await Noray.on_connect_nat
	var address: String = target[0]
	var port: int = target[1]
	var udp := PacketPeerUDP.new()
	udp.bind(Noray.local_port)
	udp.set_dest_address(address, port)
	var error: Error = await PacketHandshake.over_packet_peer(udp, 8.0, 0.1, address, port)
	udp.close()
	if error != OK:
		_end("handshake: %s" % error_string(error))
		return false
	var peer := ENetMultiplayerPeer.new()
	peer.create_client(address, port, 0, 0, 0, Noray.local_port)
	multiplayer.multiplayer_peer = peer
	while peer.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTING:
		await get_tree().process_frame
	if peer.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTED:
		_end("ENet did not connect")
		return false
	_say("join_frames", str(Engine.get_process_frames() - frame))
	_say("join_msec", str((Time.get_ticks_usec() - begun) / 1000.0))
	# Long enough for the host to notice, and to print its value.
	await get_tree().create_timer(0.2).timeout
	peer.close()
	return true


## Measures what one emission of the frame signal costs with the extension's handler, connected to a
## server, less what it costs without.
func _idle() -> void:
	if not await _register():
		return
	Engine.max_fps = 0
	var tree: SceneTree = get_tree()
	var handler: Callable
	for connection: Dictionary in tree.process_frame.get_connections():
		var callable: Callable = connection["callable"]
		if str(callable).contains("noray"):
			handler = callable
	if not handler.is_valid():
		_end("the extension is not connected to the frame signal")
		return
	for _sample: int in SAMPLES:
		var with_handler: float = _time_emissions(tree)
		tree.process_frame.disconnect(handler)
		var without_handler: float = _time_emissions(tree)
		tree.process_frame.connect(handler)
		_say("idle_nsec", str((with_handler - without_handler) * 1000.0 / EMISSIONS))
	_end()


func _time_emissions(tree: SceneTree) -> float:
	var begun: int = Time.get_ticks_usec()
	for _emission: int in EMISSIONS:
		tree.process_frame.emit()
	return Time.get_ticks_usec() - begun


## Looks names up at a DNS server that never answers, which is this process itself; and does nothing
## for as long, since a busy machine has long frames of its own.
func _look_up() -> void:
	var silent := PacketPeerUDP.new()
	var error: Error = silent.bind(53, "127.0.0.53")
	if error != OK:
		_end("no DNS port: %s" % error_string(error))
		return
	ProjectSettings.set_setting("noray/network/connect_timeout", LOOK_UP_SECONDS)
	for _round: int in LOOK_UPS:
		_longest_frame_usec = 0
		await get_tree().create_timer(LOOK_UP_SECONDS).timeout
		_say("quiet_longest_frame_msec", str(_longest_frame_usec / 1000.0))
		_longest_frame_usec = 0
		error = await Noray.connect_to_host("noray.example.com")
		if error != ERR_TIMEOUT or silent.get_available_packet_count() == 0:
			_end("the look-up did not hang: %s" % Noray.last_error_message)
			return
		_say("dns_longest_frame_msec", str(_longest_frame_usec / 1000.0))
	_end()


func _register(measured: bool = false) -> bool:
	await get_tree().process_frame
	var frame: int = Engine.get_process_frames()
	var port: int = _arguments.get("port", "8890").to_int()
	var error: Error = await Noray.connect_to_host("127.0.0.1", port)
	if error != OK:
		_end(Noray.last_error_message)
		return false
	if measured:
		_say("connect_frames", str(Engine.get_process_frames() - frame))
	Noray.register_host()
	await Noray.on_pid
	await get_tree().process_frame
	frame = Engine.get_process_frames()
	var registrar_port: int = _arguments.get("registrar-port", "8809").to_int()
	error = await Noray.register_remote(registrar_port)
	if error != OK:
		_end(Noray.last_error_message)
		return false
	if measured:
		_say("register_frames", str(Engine.get_process_frames() - frame))
	return true


func _read_arguments() -> void:
	for argument: String in OS.get_cmdline_user_args():
		var parts: PackedStringArray = argument.trim_prefix("--").split("=", true, 1)
		_arguments[parts[0]] = parts[1] if parts.size() > 1 else ""


func _say(key: String, value: String) -> void:
	print("[bench] %s %s" % [key, value])


func _end(failure: String = "") -> void:
	if failure:
		printerr("benchmark failed: ", failure)
	get_tree().quit(1 if failure else 0)
