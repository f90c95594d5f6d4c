class_name GameHost
extends Node
## The host's part of a [NoraySession]: opens the game, and the way for each player who comes.

## More than can play, so that one too many is told so instead of waiting in vain.
const MAX_CLIENTS := 16

var _server := NorayServer.new()
var _known_ways := KnownWays.new()

@onready var _session: NoraySession = get_parent()


func _ready() -> void:
	multiplayer.peer_connected.connect(_on_peer_connected)


## Runs a noray server in this game. Gives where it can be reached, null if it cannot start.
func start_server(address: NorayAddress) -> NorayAddress:
	var err := _server.start(address.port, address.registrar_port)
	if err != OK:
		_session.end("%s If another game on this computer runs a server, turn 'Run a server here' off and use that one."
				% _session.sentence(_server.last_error_message))
		return null
	_session.say("A noray server runs in this game, on TCP port %d and UDP port %d." % [
		_server.port, _server.registrar_port])
	if address.is_loopback():
		_session.say("At %s only games on this computer find it. To play with others, use this computer's address in your network."
				% address.host)
	return NorayAddress.new(address.host, _server.port, _server.registrar_port)


## Listens on the port that is registered with the noray server.
func open() -> void:
	var peer := ENetMultiplayerPeer.new()
	var err := peer.create_server(Noray.local_port, MAX_CLIENTS)
	if err != OK:
		_session.end("This game cannot listen on UDP port %d (%s). Try again." % [
			Noray.local_port, error_string(err)])
		return
	multiplayer.multiplayer_peer = peer
	_session.say("Your game is open. Others join it with the OpenID %s." % Noray.oid)
	_session.begin_play()


## Opens this side's router for a player that is about to connect.
func greet(address: String, port: int, way: NoraySession.Way) -> void:
	if _session.state != NoraySession.State.PLAYING:
		return
	_known_ways.remember(address, port, way)
	_session.say("A player is coming %s from %s:%d …" % [_session.way_text(way), address, port])
	var attempt := _session.attempt
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	var err: Error = await PacketHandshake.over_enet_peer(peer, address, port)
	if err != OK and attempt == _session.attempt:
		_session.say("The handshake with %s:%d failed: %s." % [address, port, error_string(err)], true)


func way_of(peer: ENetPacketPeer) -> NoraySession.Way:
	return _known_ways.way_of(peer.get_remote_address(), peer.get_remote_port())


func close() -> void:
	_known_ways.clear()
	_server.stop()


func _on_peer_connected(peer_id: int) -> void:
	if not _session.is_host:
		return
	if multiplayer.get_peers().size() >= NoraySession.MAX_PLAYERS:
		_session.say("A player was turned away: the game is full.", true)
		_session.dismiss(peer_id, "The game is full: %d players are in it. Try again later."
				% NoraySession.MAX_PLAYERS)
	else:
		_session.link(peer_id)
