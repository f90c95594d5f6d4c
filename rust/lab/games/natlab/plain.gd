extends Node
# Meets others by the guide's plain flow, as games do today: ask for the direct path, and for the
# relay when that leads nowhere. Runs with netfox.noray as well.

## From a request to the server's answer, in seconds.
const ANSWER_LIMIT := 3.0

## From a handshake's end to ENet's connection, in seconds.
const ENET_LIMIT := 6.0

var _server := ""
var _registered := false
var _hosting := false
var _address := ""
var _port := 0
var _failure := "code=0 text="


func _ready() -> void:
	Noray.on_connect_nat.connect(_on_address)
	Noray.on_connect_relay.connect(_on_address)


func host(noray: String, max_clients: int) -> MultiplayerPeer:
	if not await _register(noray):
		return null
	var peer := ENetMultiplayerPeer.new()
	var error := peer.create_server(Noray.local_port, max_clients)
	if error != OK:
		_fail(error, "no server on the registered port")
		return null
	_hosting = true
	return peer


func join(noray: String, oid: String, _options: Dictionary) -> MultiplayerPeer:
	if not await _register(noray):
		return null
	for request: Callable in [Noray.connect_nat, Noray.connect_relay]:
		_address = ""
		request.call(oid)
		if not await _is_announced():
			_fail(ERR_TIMEOUT, "the server does not answer")
			continue
		var peer := await _enter()
		if peer != null:
			return peer
	return null


func describe(peer_id: int) -> String:
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	var enet_peer := peer.get_peer(peer_id)
	var address := enet_peer.get_remote_address()
	var path := "direct"
	if address == _server:
		path = "relay"
	elif address.begins_with("192.168."):
		path = "lan"
	return "ok path=%s address=%s:%d" % [path, address, enet_peer.get_remote_port()]


func describe_failure() -> String:
	return _failure


func _register(noray: String) -> bool:
	if _registered:
		return true
	_server = noray
	var error: Error = await Noray.connect_to_host(noray)
	if error != OK:
		return _fail(error, "no connection to the server")
	Noray.register_host()
	await Noray.on_pid
	error = await Noray.register_remote()
	if error != OK:
		return _fail(error, "the registrar does not answer")
	_registered = true
	return true


func _is_announced() -> bool:
	var until := Time.get_ticks_msec() + roundi(ANSWER_LIMIT * 1000.0)
	while _address.is_empty() and Time.get_ticks_msec() < until:
		await get_tree().process_frame
	return not _address.is_empty()


func _enter() -> ENetMultiplayerPeer:
	var udp := PacketPeerUDP.new()
	var error := udp.bind(Noray.local_port)
	if error != OK:
		_fail(error, "the registered port is taken")
		return null
	udp.set_dest_address(_address, _port)
	error = await PacketHandshake.over_packet_peer(udp)
	udp.close()
	# Half a handshake is worth a try.
	if error != OK and error != ERR_BUSY:
		_fail(error, "no handshake with %s:%d" % [_address, _port])
		return null
	var peer := ENetMultiplayerPeer.new()
	error = peer.create_client(_address, _port, 0, 0, 0, Noray.local_port)
	if error != OK:
		_fail(error, "no client on the registered port")
		return null
	multiplayer.multiplayer_peer = peer
	var until := Time.get_ticks_msec() + roundi(ENET_LIMIT * 1000.0)
	while (
			peer.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTING
			and Time.get_ticks_msec() < until
	):
		await get_tree().process_frame
	if peer.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTED:
		peer.close()
		multiplayer.multiplayer_peer = null
		_fail(ERR_CANT_CONNECT, "ENet does not connect to %s:%d" % [_address, _port])
		return null
	return peer


func _on_address(address: String, port: int) -> void:
	_address = address
	_port = port
	if _hosting:
		var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
		PacketHandshake.over_enet_peer(peer, address, port)


func _fail(error: Error, text: String) -> bool:
	_failure = "code=%d text=%s: %s" % [error, error_string(error), text]
	return false
