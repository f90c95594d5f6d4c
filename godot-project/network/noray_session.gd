class_name NoraySession
extends Node
## Gets this game into play with others, and out again, with the help of a noray server.
##
## Both kinds of players first connect to the noray server and register there. What then
## makes a game is in [GameHost], what finds and joins one in [GameClient]. Once they are
## connected, everything is Godot's own high-level multiplayer.

## Something happened that a player wants to read, a sentence each.
signal logged(text: String, is_problem: bool)
signal state_changed()
## A noray server runs in this game, on these ports.
signal server_started(port: int, registrar_port: int)
## The game is on: the host listens, or the client has reached the host.
signal started()
## A player's connection has come about. On a client only the host's, with id 1.
signal peer_linked(peer_id: int, way: Way)
## A player's connection has ended.
signal peer_left(peer_id: int)
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
## Between a good-bye and the end of the connection, in seconds: a player's game gets both,
## and in this order, if more than one of its frames lies between them.
const GOODBYE_TIME := 0.25
## When ENet gives up on a silent player, in ms. Its default is up to 30 s.
const SILENCE_MIN := 4000
const SILENCE_MAX := 10000

var state := State.IDLE
var is_host: bool = false
## Another number for each attempt to play: what was awaited for an earlier one comes too late.
var attempt: int = 0

var _at_noray: bool = false
var _goodbye: String = ""

@onready var _host: GameHost = $Host
@onready var _client: GameClient = $Client


func _ready() -> void:
	Noray.on_connect_nat.connect(_on_address_known.bind(Way.DIRECT))
	Noray.on_connect_relay.connect(_on_address_known.bind(Way.RELAY))
	Noray.connect_failed.connect(_on_connect_failed)
	Noray.on_disconnect_from_host.connect(_on_noray_lost)
	multiplayer.peer_disconnected.connect(peer_left.emit)
	multiplayer.server_disconnected.connect(_on_host_lost)


func _exit_tree() -> void:
	_close_everything()


## Hosts a game: the noray server at [param address] will lead the others here.
func host_game(address: NorayAddress, run_server: bool) -> void:
	if state != State.IDLE:
		return
	is_host = true
	set_state(State.CONNECTING)
	if run_server:
		address = _host.start_server(address)
		if address != null:
			server_started.emit(address.port, address.registrar_port)
	if address != null and await _register(address):
		_host.open()


## Joins the game of the host with the OpenID [param oid].
func join_game(address: NorayAddress, oid: String, force_relay: bool) -> void:
	if state != State.IDLE:
		return
	is_host = false
	set_state(State.CONNECTING)
	if await _register(address):
		_client.find(oid, Way.RELAY if force_relay else Way.DIRECT)


## Leaves the game, or cancels the attempt to get into one.
func leave() -> void:
	if state == State.IDLE or state == State.LEAVING:
		return
	if state == State.PLAYING and not multiplayer.get_peers().is_empty() and is_host:
		set_state(State.LEAVING)
		_say_goodbye.rpc("The host ended the game.")
		get_tree().create_timer(GOODBYE_TIME).timeout.connect(end.bind(""))
	else:
		end("")


## The host sends a player away and tells it why.
func dismiss(peer_id: int, reason: String) -> void:
	if multiplayer.get_peers().has(peer_id):
		_say_goodbye.rpc_id(peer_id, reason)
		get_tree().create_timer(GOODBYE_TIME).timeout.connect(_disconnect_peer.bind(peer_id))


## By which way a player is connected to this one: a host knows it of everyone, a client
## of the host.
func way_to(peer_id: int) -> Way:
	var peer := enet_peer(peer_id)
	if peer == null:
		return Way.UNKNOWN
	return _host.way_of(peer) if is_host else _client.way


## The round trip to a player in ms, -1 where this game has no link to it.
func round_trip_to(peer_id: int) -> int:
	var peer := enet_peer(peer_id)
	if peer == null:
		return -1
	return roundi(peer.get_statistic(ENetPacketPeer.PEER_ROUND_TRIP_TIME))


## Others can join: the noray server still knows this host.
func is_open() -> bool:
	return state == State.PLAYING and is_host and _at_noray


# What follows is for the host's and the client's part.


func begin_play() -> void:
	set_state(State.PLAYING)
	started.emit()


## Takes up a player that ENet has connected.
func link(peer_id: int) -> void:
	enet_peer(peer_id).set_timeout(0, SILENCE_MIN, SILENCE_MAX)
	peer_linked.emit(peer_id, way_to(peer_id))


## Goes back to where a game can be begun.
func end(reason: String) -> void:
	_close_everything()
	if not reason.is_empty():
		say(reason, true)
	set_state(State.IDLE)
	ended.emit(reason)


func set_state(new_state: State) -> void:
	state = new_state
	state_changed.emit()


func say(text: String, is_problem: bool = false) -> void:
	logged.emit(text, is_problem)


## A whole sentence from a message that is a part of one.
func sentence(message: String) -> String:
	if message.is_empty():
		return ""
	var full_stop := "" if message.right(1) in ".?!" else "."
	return message.left(1).to_upper() + message.substr(1) + full_stop


func way_text(way: Way) -> String:
	return "by relay" if way == Way.RELAY else "directly"


## This game's own link to a player; null where there is none.
func enet_peer(peer_id: int) -> ENetPacketPeer:
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	if peer == null or not multiplayer.get_peers().has(peer_id):
		return null
	# The other clients are there too, but only the host is linked to them.
	if not is_host and peer_id != MultiplayerPeer.TARGET_PEER_SERVER:
		return null
	return peer.get_peer(peer_id)


func close_peer() -> void:
	if multiplayer.multiplayer_peer is ENetMultiplayerPeer:
		multiplayer.multiplayer_peer.close()
		multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()


## Connects to the noray server and registers there. False if the attempt has ended.
func _register(address: NorayAddress) -> bool:
	var this_attempt := attempt
	say("Connecting to the noray server at %s …" % address)
	var err: Error = await Noray.connect_to_host(address.host, address.port)
	if this_attempt != attempt:
		return false
	if err != OK:
		end("No connection to the noray server. %s Check the address, or host with 'Run a server here'."
				% sentence(Noray.last_error_message))
		return false
	_at_noray = true
	say("Connected. Registering …")

	if Noray.register_host() == OK:
		# It comes in any case; without a PrivateID if the server gave none.
		await Noray.on_pid
		if this_attempt != attempt:
			return false
	if Noray.pid.is_empty():
		end("%s Check the address and port." % sentence(Noray.last_error_message))
		return false

	err = await Noray.register_remote(address.registrar_port)
	if this_attempt != attempt:
		return false
	if err != OK:
		end("%s Perhaps a firewall blocks UDP port %d." % [
			sentence(Noray.last_error_message), address.registrar_port])
		return false
	return true


func _disconnect_peer(peer_id: int) -> void:
	if multiplayer.get_peers().has(peer_id):
		(multiplayer as SceneMultiplayer).disconnect_peer(peer_id)
		# Godot emits peer_disconnected only for those who go by themselves.
		peer_left.emit(peer_id)


func _close_everything() -> void:
	attempt += 1
	_at_noray = false
	_goodbye = ""
	close_peer()
	_client.close()
	Noray.disconnect_from_host()
	_host.close()


func _on_address_known(address: String, port: int, way: Way) -> void:
	if is_host:
		_host.greet(address, port, way)
	else:
		_client.shake_hands(address, port, way)


func _on_connect_failed(oid: String, error: Error, message: String) -> void:
	if state != State.FINDING or oid != _client.host_oid:
		return
	var advice := "Check the OpenID, and that the host's game is still open."
	if error == ERR_BUSY or error == ERR_TIMEOUT or error == ERR_CONNECTION_ERROR:
		advice = "Try again in a moment."
	end("%s %s" % [sentence(message), advice])


func _on_noray_lost() -> void:
	if not _at_noray:
		return
	_at_noray = false
	match state:
		State.PLAYING:
			say("The connection to the noray server was lost. The game goes on%s." % (
					", but nobody new can join" if is_host else ""), true)
			state_changed.emit()
		State.CONNECTING, State.FINDING:
			end("%s Try again, or use another server." % sentence(Noray.last_error_message))


func _on_host_lost() -> void:
	end(_goodbye if not _goodbye.is_empty() else "The connection to the host was lost.")


@rpc("authority", "call_remote", "reliable")
func _say_goodbye(reason: String) -> void:
	_goodbye = reason
	# The news that the connection has ended can be lost on the way.
	get_tree().create_timer(2.0 * GOODBYE_TIME).timeout.connect(_on_goodbye_over.bind(attempt))


func _on_goodbye_over(this_attempt: int) -> void:
	if this_attempt == attempt:
		_on_host_lost()
