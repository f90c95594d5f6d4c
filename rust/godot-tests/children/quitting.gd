extends Node
## Quits while it awaits what its first argument names. It awaits nothing else: Godot leaks what a
## coroutine holds that is not resumed before the end.

## Frames before it quits.
const FRAMES := 20

const HERE := "127.0.0.1"

var _mode: String = ""
var _port: int = 0
var _other_port: int = 0
var _frames: int = 0
var _peer: ENetMultiplayerPeer
var _udp: PacketPeerUDP
var _server: NorayServer


func begin(arguments: PackedStringArray) -> void:
	_mode = arguments[0]
	_port = arguments[1].to_int()
	_other_port = arguments[2].to_int()


func _ready() -> void:
	call(&"_" + _mode)


func _process(_delta: float) -> void:
	_frames += 1
	if _frames == FRAMES:
		print("[child] quits")
		get_tree().quit()


func _connect_to_host() -> void:
	var witness := Witness.new()
	var error: Error = await Noray.connect_to_host(HERE, _port)
	witness.count += 1
	print("[child] ended ", error_string(error))


func _connected() -> void:
	await Noray.connect_to_host(HERE, _port)


func _register_remote() -> void:
	await Noray.connect_to_host(HERE, _port)
	Noray.register_host()
	await Noray.on_pid
	var error: Error = await Noray.register_remote(_other_port)
	print("[child] ended ", error_string(error))


func _on_pid() -> void:
	await Noray.connect_to_host(HERE, _port)
	Noray.register_host()
	var pid: String = await Noray.on_pid
	print("[child] ended ", pid.is_empty())


func _on_pid_of_nobody() -> void:
	await Noray.on_pid


func _connect_failed() -> void:
	await Noray.connect_to_host(HERE, _port)
	Noray.connect_nat("somebody")
	await Noray.connect_failed


func _over_packet_peer() -> void:
	_udp = PacketPeerUDP.new()
	_udp.bind(0, HERE)
	_udp.set_dest_address(HERE, _other_port)
	var witness := Witness.new()
	var error: Error = await PacketHandshake.over_packet_peer(_udp)
	witness.count += 1
	print("[child] ended ", error_string(error))


func _over_enet() -> void:
	_peer = ENetMultiplayerPeer.new()
	_peer.set_bind_ip(HERE)
	_peer.create_server(_other_port)
	multiplayer.multiplayer_peer = _peer
	var error: Error = await PacketHandshake.over_enet(_peer.host, HERE, 9)
	print("[child] ended ", error_string(error))


func _over_enet_peer() -> void:
	_peer = ENetMultiplayerPeer.new()
	_peer.set_bind_ip(HERE)
	_peer.create_server(_other_port)
	multiplayer.multiplayer_peer = _peer
	var error: Error = await PacketHandshake.over_enet_peer(_peer, HERE, 9)
	print("[child] ended ", error_string(error))


func _lambdas() -> void:
	var witness := Witness.new()
	var two := func(_a: Variant, _b: Variant) -> void: witness.count += 1
	var one := func(_a: Variant) -> void: witness.count += 1
	var none := func() -> void: witness.count += 1
	var three := func(_a: Variant, _b: Variant, _c: Variant) -> void: witness.count += 1
	Noray.on_command.connect(two)
	Noray.on_connect_nat.connect(two)
	Noray.on_connect_relay.connect(two)
	Noray.on_oid.connect(one)
	Noray.on_pid.connect(one)
	Noray.on_connect_to_host.connect(none)
	Noray.on_disconnect_from_host.connect(none)
	Noray.connect_failed.connect(three)
	await Noray.connect_to_host(HERE, _port)
	Noray.register_host()
	Noray.connect_nat("somebody")


## Tries again and again, even when quitting resumes it.
func _retries() -> void:
	while await Noray.connect_to_host(HERE, _port) != OK:
		pass


func _a_server() -> void:
	_server = NorayServer.new()
	_server.start(0, 0, "28100-28199", HERE)
	await Noray.connect_to_host(HERE, _server.port)
	Noray.register_host()
	await Noray.on_pid
	await Noray.register_remote(_server.registrar_port)
	Noray.connect_relay(Noray.oid)


## The server at [member _port] accepts nobody, or its registrar does not answer.
func _host() -> void:
	var witness := Witness.new()
	var peer: ENetMultiplayerPeer = await Noray.host(_here(), 8, _options())
	witness.count += 1
	print("[child] ended ", peer)


func _join() -> void:
	var witness := Witness.new()
	Noray.join_progressed.connect(
			func(_stage: Noray.JoinStage, _message: String) -> void: witness.count += 1
	)
	var peer: ENetMultiplayerPeer = await Noray.join("dead", _here(), _options())
	witness.count += 1
	print("[child] ended ", peer)


func _hosts() -> void:
	_peer = await Noray.host(_here(), 8, _options())
	multiplayer.multiplayer_peer = _peer
	print("[child] ended ", _peer != null)


## The peer is freed only as the game quits.
func _hosts_without_a_variable() -> void:
	multiplayer.multiplayer_peer = await Noray.host(_here(), 8, _options())
	print("[child] ended ", multiplayer.multiplayer_peer is ENetMultiplayerPeer)


func _here() -> String:
	return "%s:%d" % [HERE, _port]


func _options() -> Dictionary:
	return {"registrar_port": _other_port}


func _all_at_once() -> void:
	_over_packet_peer()
	_on_pid_of_nobody()
	_connect_to_host()
	_refused()


func _refused() -> void:
	var error: Error = await PacketHandshake.over_packet_peer(_udp, 3600.0)
	print("[child] ended ", error_string(error))


## Held by lambdas and coroutines: leaks if they are not released.
class Witness:
	extends RefCounted

	var count: int = 0
