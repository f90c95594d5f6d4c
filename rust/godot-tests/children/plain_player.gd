extends Node
## The plain flow as in the guide: a host, or a player who joins and calls it in every frame.
## Arguments: the server's two ports, the number of rounds before it quits (0: when the other does),
## and for a joining player the host's OpenID and "nat" or "relay".

const SERVER := "127.0.0.1"

## Calls in a round: half a second.
const ANSWERS := 30

var _port: int = 0
var _registrar_port: int = 0
var _rounds: int = 0
var _oid: String = ""
var _path: String = ""
## Calls received so far.
var _heard: int = 0


func begin(arguments: PackedStringArray) -> void:
	_port = arguments[0].to_int()
	_registrar_port = arguments[1].to_int()
	_rounds = arguments[2].to_int()
	if arguments.size() > 3:
		_oid = arguments[3]
		_path = arguments[4]


func _ready() -> void:
	Noray.on_disconnect_from_host.connect(_on_server_lost)
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	multiplayer.server_disconnected.connect(_on_host_lost)
	var error: Error = await Noray.connect_to_host(SERVER, _port)
	if error != OK:
		_fail("connecting", error)
		return
	Noray.register_host()
	await Noray.on_pid
	error = await Noray.register_remote(_registrar_port)
	if error != OK:
		_fail("registering", error)
	elif _oid.is_empty():
		_host()
	else:
		_join()


func _process(_delta: float) -> void:
	if _is_player() and multiplayer.multiplayer_peer is ENetMultiplayerPeer:
		if not multiplayer.get_peers().is_empty():
			_ask.rpc_id(1)


func _host() -> void:
	Noray.on_connect_nat.connect(_handle_player)
	Noray.on_connect_relay.connect(_handle_player)
	var peer := ENetMultiplayerPeer.new()
	var error := peer.create_server(Noray.local_port)
	if error != OK:
		_fail("hosting", error)
		return
	multiplayer.multiplayer_peer = peer
	print("[child] oid ", Noray.oid)


func _join() -> void:
	Noray.on_connect_nat.connect(_handle_host)
	Noray.on_connect_relay.connect(_handle_host)
	if _path == "relay":
		Noray.connect_relay(_oid)
	else:
		Noray.connect_nat(_oid)


func _handle_player(address: String, port: int) -> void:
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	var error: Error = await PacketHandshake.over_enet(peer.host, address, port)
	if error != OK:
		_fail("the host's handshake", error)


func _handle_host(address: String, port: int) -> void:
	var udp := PacketPeerUDP.new()
	udp.bind(Noray.local_port)
	udp.set_dest_address(address, port)
	var error: Error = await PacketHandshake.over_packet_peer(udp)
	udp.close()
	if error != OK:
		_fail("the player's handshake", error)
		return
	var peer := ENetMultiplayerPeer.new()
	error = peer.create_client(address, port, 0, 0, 0, Noray.local_port)
	if error != OK:
		_fail("joining", error)
		return
	multiplayer.multiplayer_peer = peer


@rpc("any_peer", "call_remote", "unreliable")
func _ask() -> void:
	_answer.rpc_id(multiplayer.get_remote_sender_id())
	_hear()


@rpc("authority", "call_remote", "unreliable")
func _answer() -> void:
	_hear()


func _hear() -> void:
	_heard += 1
	if _heard % ANSWERS != 0:
		return
	print("[child] played")
	_rounds -= 1
	if _rounds == 0:
		print("[child] quits")
		get_tree().quit()


func _on_peer_connected(_id: int) -> void:
	print("[child] joined")


func _on_peer_disconnected(_id: int) -> void:
	if not _is_player():
		print("[child] the player left")
		get_tree().quit()


func _on_host_lost() -> void:
	print("[child] the host left")
	get_tree().quit()


func _on_server_lost() -> void:
	print("[child] lost the server")


func _is_player() -> bool:
	return not _oid.is_empty()


func _fail(what: String, error: Error) -> void:
	print("[child] FAILED ", what, ": ", error_string(error), " ", Noray.last_error_message)
	get_tree().quit(1)
