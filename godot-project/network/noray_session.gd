class_name NoraySession
extends Node
## Brings the players of one game together with the help of a noray server.
##
## A host registers and waits; a client registers, asks for the way to the host,
## shakes hands on it and connects with ENet. From then on everything is Godot's
## own high-level multiplayer.

## Something happened that a player wants to read, a sentence each.
signal logged(text: String, is_problem: bool)
signal state_changed()
## A noray server runs in this game, on these ports.
signal server_started(port: int, registrar_port: int)
## The game is on: the host listens, or the client has reached the host.
signal started()
## A player's connection has come about. On a client only the host's, with id 1.
signal peer_linked(peer_id: int, way: Way)
## Back to [constant State.IDLE]. [param reason] is empty if the player wanted it so.
signal ended(reason: String)

enum State {
	IDLE,
	CONNECTING, ## Reaching the noray server and registering there.
	FINDING, ## Waiting for the noray server to name the way to the host.
	SHAKING, ## Shaking hands with the host.
	JOINING, ## Waiting for ENet to connect.
	PLAYING,
	LEAVING, ## The host is saying good-bye to its players.
}

enum Way {
	UNKNOWN,
	DIRECT,
	RELAY,
}

const MAX_PLAYERS := 8
## More than can play, so that one too many is told so instead of waiting in vain.
const MAX_CLIENTS := 16
## After a handshake ENet needs two round trips; some packets may be lost.
const JOIN_TIMEOUT := 5.0
## How long the host waits for its players to have read its good-bye.
const GOODBYE_TIMEOUT := 0.5
## When ENet gives up on a silent player, in ms. Its default is up to 30 s.
const SILENCE_MIN := 4000
const SILENCE_MAX := 10000

var state := State.IDLE
var is_host: bool = false

var _server := NorayServer.new()
## Grows when an attempt ends, so that its awaits know that they are too late.
var _attempt: int = 0
var _at_noray: bool = false
var _host_oid: String = ""
var _way := Way.UNKNOWN
var _known_ways := KnownWays.new()
var _udp: PacketPeerUDP = null
var _goodbye: String = ""

@onready var _deadline: Timer = $Deadline


func _ready() -> void:
	Noray.on_connect_nat.connect(_on_address_known.bind(Way.DIRECT))
	Noray.on_connect_relay.connect(_on_address_known.bind(Way.RELAY))
	Noray.connect_failed.connect(_on_connect_failed)
	Noray.on_disconnect_from_host.connect(_on_noray_lost)
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.connected_to_server.connect(_on_connected_to_host)
	multiplayer.connection_failed.connect(_on_connection_failed)
	multiplayer.server_disconnected.connect(_on_host_lost)
	_deadline.timeout.connect(_on_deadline)


func _exit_tree() -> void:
	_close_everything()


## Hosts a game: the noray server at [param address] will lead the others here.
func host_game(address: NorayAddress, run_server: bool) -> void:
	if state != State.IDLE:
		return
	is_host = true
	_set_state(State.CONNECTING)
	if run_server:
		address = _start_server(address)
		if address == null:
			return
	if not await _register(address):
		return

	var peer := ENetMultiplayerPeer.new()
	var err := peer.create_server(Noray.local_port, MAX_CLIENTS)
	if err != OK:
		_end("This game cannot listen on UDP port %d (%s). Try again." % [
			Noray.local_port, error_string(err)])
		return
	multiplayer.multiplayer_peer = peer
	_log("Your game is open. Others join it with the OpenID %s." % Noray.oid)
	_set_state(State.PLAYING)
	started.emit()


## Joins the game of the host with the OpenID [param oid].
func join_game(address: NorayAddress, oid: String, force_relay: bool) -> void:
	if state != State.IDLE:
		return
	is_host = false
	_host_oid = oid
	_set_state(State.CONNECTING)
	if await _register(address):
		_find_host(Way.RELAY if force_relay else Way.DIRECT)


## Leaves the game, or cancels the attempt to get into one.
func leave() -> void:
	match state:
		State.IDLE, State.LEAVING:
			return
		State.PLAYING when is_host and not multiplayer.get_peers().is_empty():
			_set_state(State.LEAVING)
			for peer_id: int in multiplayer.get_peers():
				dismiss(peer_id, "The host ended the game.")
			_deadline.start(GOODBYE_TIMEOUT)
			while state == State.LEAVING and not multiplayer.get_peers().is_empty():
				await get_tree().process_frame
			if state == State.LEAVING:
				_end("")
		_:
			_end("")


## The host sends a player away and tells it why.
func dismiss(peer_id: int, reason: String) -> void:
	_say_goodbye.rpc_id(peer_id, reason)
	# Unlike disconnect_peer() this first delivers what is still to be sent.
	_enet_peer(peer_id).peer_disconnect_later()


## By which way a player is connected to this one: the host knows it of everyone,
## a client of the host.
func way_to(peer_id: int) -> Way:
	if not is_host:
		return _way if peer_id == MultiplayerPeer.TARGET_PEER_SERVER else Way.UNKNOWN
	var peer := _enet_peer(peer_id)
	if peer == null:
		return Way.UNKNOWN
	return _known_ways.way_of(peer.get_remote_address(), peer.get_remote_port())


## The round trip to a player in ms, -1 where this game has no link to it.
func round_trip_to(peer_id: int) -> int:
	var peer := _enet_peer(peer_id)
	if peer == null:
		return -1
	return roundi(peer.get_statistic(ENetPacketPeer.PEER_ROUND_TRIP_TIME))


## Others can join: the noray server still knows this host.
func is_open() -> bool:
	return state == State.PLAYING and is_host and _at_noray


func _start_server(address: NorayAddress) -> NorayAddress:
	var err := _server.start(address.port, address.registrar_port)
	if err != OK:
		_end(("The noray server cannot start here: %s. If another game on this computer runs one,"
				+ " turn 'Run a server here' off and use that one.") % _plain(_server.last_error_message))
		return null
	_log("A noray server runs in this game, on TCP port %d and UDP port %d." % [
		_server.port, _server.registrar_port])
	if address.is_loopback():
		_log("At %s only games on this computer find it. To play with others, use this computer's address in your network."
				% address.host)
	server_started.emit(_server.port, _server.registrar_port)
	return NorayAddress.new(address.host, _server.port, _server.registrar_port)


## Connects to the noray server and registers there. False if the attempt has ended.
func _register(address: NorayAddress) -> bool:
	var attempt := _attempt
	_log("Connecting to the noray server at %s …" % address)
	var err: Error = await Noray.connect_to_host(address.host, address.port)
	if attempt != _attempt:
		return false
	if err != OK:
		_end("No noray server answers at %s: %s. Check the address, or host with 'Run a server here'." % [
			address, _plain(Noray.last_error_message)])
		return false
	_at_noray = true
	_log("Connected to %s. Registering …" % (
			"a noray server" if Noray.server_version.is_empty() else Noray.server_version))

	Noray.register_host()
	# Comes in any case; without a PrivateID if the server gave none.
	await Noray.on_pid
	if attempt != _attempt:
		return false
	if Noray.pid.is_empty():
		_end("Registering at %s failed: %s. Check the address and port." % [
			address, _plain(Noray.last_error_message)])
		return false

	err = await Noray.register_remote(address.registrar_port)
	if attempt != _attempt:
		return false
	if err != OK:
		_end("The noray server did not learn this game's address: %s. A firewall may block UDP port %d." % [
			_plain(Noray.last_error_message), address.registrar_port])
		return false
	return true


func _find_host(way: Way) -> void:
	_way = way
	_set_state(State.FINDING)
	_log("Asking the noray server for %s to the host …" % (
			"a relay" if way == Way.RELAY else "the direct way"))
	var err: Error
	if way == Way.RELAY:
		err = Noray.connect_relay(_host_oid)
	else:
		err = Noray.connect_nat(_host_oid)
	if err != OK:
		_end("Cannot ask for the host: %s. Check the OpenID." % _plain(Noray.last_error_message))


func _on_address_known(address: String, port: int, way: Way) -> void:
	if is_host and state == State.PLAYING:
		_greet_client(address, port, way)
	elif state == State.FINDING and way == _way:
		_connect_to_host(address, port)


## The host opens its router for a player that is about to connect.
func _greet_client(address: String, port: int, way: Way) -> void:
	_known_ways.remember(address, port, way)
	_log("A player is coming %s from %s:%d …" % [_way_text(way), address, port])
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	var attempt := _attempt
	var err: Error = await PacketHandshake.over_enet_peer(peer, address, port)
	if attempt == _attempt and err != OK:
		_log("The handshake with %s:%d failed: %s." % [address, port, error_string(err)], true)


## The client shakes hands with the host and connects to it.
func _connect_to_host(address: String, port: int) -> void:
	var attempt := _attempt
	_set_state(State.SHAKING)
	_log("Shaking hands with the host at %s:%d …" % [address, port])
	_udp = PacketPeerUDP.new()
	var err := _udp.bind(Noray.local_port)
	if err == OK:
		err = _udp.set_dest_address(address, port)
	if err == OK:
		err = await PacketHandshake.over_packet_peer(_udp)
		if attempt != _attempt:
			return
	_udp.close()
	# Busy: the host was heard but did not say that it heard us. Worth a try.
	if err != OK and err != ERR_BUSY:
		_on_way_failed("no handshake with the host (%s)" % error_string(err))
		return

	var peer := ENetMultiplayerPeer.new()
	err = peer.create_client(address, port, 0, 0, 0, Noray.local_port)
	if err != OK:
		_on_way_failed("cannot use UDP port %d (%s)" % [Noray.local_port, error_string(err)])
		return
	_set_state(State.JOINING)
	_log("Joining the game …")
	_deadline.start(JOIN_TIMEOUT)
	multiplayer.multiplayer_peer = peer


func _on_way_failed(cause: String) -> void:
	_deadline.stop()
	_close_peer()
	if _way == Way.DIRECT:
		_log("The direct way failed: %s. Trying a relay instead." % cause, true)
		_find_host(Way.RELAY)
	else:
		_end("The relay failed: %s. Is the host still there? Try again." % cause)


func _on_connected_to_host() -> void:
	_deadline.stop()
	_enet_peer(MultiplayerPeer.TARGET_PEER_SERVER).set_timeout(0, SILENCE_MIN, SILENCE_MAX)
	_log("You are in the game, %s." % _way_text(_way))
	_set_state(State.PLAYING)
	started.emit()
	peer_linked.emit(MultiplayerPeer.TARGET_PEER_SERVER, _way)


func _on_peer_connected(peer_id: int) -> void:
	if not is_host:
		return
	_enet_peer(peer_id).set_timeout(0, SILENCE_MIN, SILENCE_MAX)
	if multiplayer.get_peers().size() >= MAX_PLAYERS:
		_log("A player was turned away: the game is full.", true)
		dismiss(peer_id, "The game is full: %d players are in it. Try again later." % MAX_PLAYERS)
		return
	peer_linked.emit(peer_id, way_to(peer_id))


func _on_connect_failed(oid: String, error: Error, message: String) -> void:
	if state != State.FINDING or oid != _host_oid:
		return
	var advice := "Check the OpenID, and that the host's game is still open"
	if error == ERR_BUSY or error == ERR_TIMEOUT or error == ERR_CONNECTION_ERROR:
		advice = "Try again in a moment"
	_end("The noray server does not lead to the host: %s. %s." % [_plain(message), advice])


func _on_noray_lost() -> void:
	if not _at_noray:
		return
	_at_noray = false
	if state == State.PLAYING:
		_log("The connection to the noray server was lost. The game goes on%s." % (
				", but nobody new can join" if is_host else ""), true)
		state_changed.emit()
	elif state == State.CONNECTING or state == State.FINDING:
		_end("The noray server was lost: %s. Try again, or use another one."
				% _plain(Noray.last_error_message))


func _on_connection_failed() -> void:
	if state == State.JOINING:
		_on_way_failed("the host did not let us in")


func _on_host_lost() -> void:
	_end(_goodbye if not _goodbye.is_empty() else "The connection to the host was lost.")


func _on_deadline() -> void:
	match state:
		State.JOINING:
			_on_way_failed("the host does not answer")
		State.LEAVING:
			_end("")


@rpc("authority", "call_remote", "reliable")
func _say_goodbye(reason: String) -> void:
	_goodbye = reason


func _end(reason: String) -> void:
	_close_everything()
	_host_oid = ""
	_goodbye = ""
	_way = Way.UNKNOWN
	_known_ways.clear()
	if not reason.is_empty():
		_log(reason, true)
	_set_state(State.IDLE)
	ended.emit(reason)


func _close_everything() -> void:
	_attempt += 1
	_at_noray = false
	_deadline.stop()
	if _udp != null:
		_udp.close()
	_close_peer()
	Noray.disconnect_from_host()
	_server.stop()


func _close_peer() -> void:
	if multiplayer.multiplayer_peer is ENetMultiplayerPeer:
		multiplayer.multiplayer_peer.close()
		multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()


func _set_state(new_state: State) -> void:
	state = new_state
	state_changed.emit()


func _log(text: String, is_problem: bool = false) -> void:
	logged.emit(text, is_problem)


func _enet_peer(peer_id: int) -> ENetPacketPeer:
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	if peer == null or not multiplayer.get_peers().has(peer_id):
		return null
	if not is_host and peer_id != MultiplayerPeer.TARGET_PEER_SERVER:
		return null
	return peer.get_peer(peer_id)


func _way_text(way: Way) -> String:
	match way:
		Way.DIRECT:
			return "directly"
		Way.RELAY:
			return "by relay"
		_:
			return "by an unknown way"


## A cause within a sentence of ours ends without a full stop.
func _plain(cause: String) -> String:
	return cause.strip_edges().trim_suffix(".")
