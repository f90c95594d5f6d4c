class_name NoraySession
extends Node
## Hosts, joins and leaves a game.
##
## [method Noray.host] and [method Noray.join] do the work; this adds what a game needs around
## them: a noray server in the host's game, one attempt at a time, goodbyes with a reason. Once
## players are connected, everything else is Godot's high-level multiplayer.

## A sentence for the player to read.
signal logged(text: String, is_problem: bool)
signal state_changed()
## A noray server has started in this game, on these ports.
signal server_started(port: int, registrar_port: int)
## The game has begun: others can join this host, or this player has joined.
signal started()
## A peer is connected. For a joined player that is the host alone, with id 1.
signal peer_linked(peer_id: int, connection: NorayConnection)
## A peer has left.
signal peer_left(peer_id: int)
## The session is [constant State.IDLE] again. [param reason] is empty if the player chose to leave.
signal ended(reason: String)

enum State {
	IDLE,
	STARTING, ## Waiting for [method Noray.host] or [method Noray.join].
	PLAYING,
	LEAVING, ## The host says goodbye to its players.
}

const MAX_PLAYERS := 8
## In seconds, between a goodbye and the end of the connection. A player gets both, in this order,
## if more than one of its frames lies between them.
const GOODBYE_TIME := 0.25

var state := State.IDLE
var is_host: bool = false
## The noray server of this game.
var address: NorayAddress = null
## What an attempt to host or join is doing, as a sentence.
var progress: String = ""

var _is_cancelled: bool = false
## The host's reason for ending the connection, once it has said goodbye.
var _goodbye: String = ""
var _server := NorayServer.new()


func _ready() -> void:
	Noray.join_progressed.connect(_on_join_progressed)
	Noray.oid_changed.connect(_on_oid_changed)
	Noray.on_connect_to_host.connect(_on_noray_found)
	Noray.on_disconnect_from_host.connect(_on_noray_lost)
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(peer_left.emit)
	multiplayer.connected_to_server.connect(_play)
	multiplayer.server_disconnected.connect(_on_host_lost)


func _exit_tree() -> void:
	_close_everything()


## Hosts a game that others find through the noray server at [param noray].
func host_game(noray: NorayAddress, run_server: bool) -> void:
	if state != State.IDLE:
		return
	is_host = true
	address = noray
	if run_server:
		address = _start_server(noray)
		if address == null:
			return
	_begin("Registering at %s …" % address)
	_say(progress)
	var peer: ENetMultiplayerPeer = await Noray.host(str(address), MAX_PLAYERS - 1, {
		"registrar_port": address.registrar_port,
	})
	if _take(peer):
		_say("Your game is open. Others can join with the OpenID %s." % Noray.oid)
		_play()


## Joins the game of the host with the OpenID [param oid].
func join_game(noray: NorayAddress, oid: String, force_relay: bool) -> void:
	if state != State.IDLE:
		return
	is_host = false
	address = noray
	_begin("Joining …")
	var peer: ENetMultiplayerPeer = await Noray.join(oid, str(address), {
		"registrar_port": address.registrar_port,
		"force_relay": force_relay,
	})
	# connected_to_server tells when Godot is ready to play.
	_take(peer)


## Leaves the game, or cancels the attempt to host or join one.
func leave() -> void:
	if state == State.STARTING:
		# Ends the await with null.
		_is_cancelled = true
		Noray.leave()
	elif state == State.PLAYING and is_host and not multiplayer.get_peers().is_empty():
		_set_state(State.LEAVING)
		_say_goodbye.rpc("The host ended the game.")
		get_tree().create_timer(GOODBYE_TIME).timeout.connect(_end.bind(""))
	elif state == State.PLAYING:
		_end("")


## Sends a player away, as the host, and tells it why.
func dismiss(peer_id: int, reason: String) -> void:
	if multiplayer.get_peers().has(peer_id):
		_say_goodbye.rpc_id(peer_id, reason)
		get_tree().create_timer(GOODBYE_TIME).timeout.connect(_disconnect_peer.bind(peer_id))


## Returns true if others can join: the host is connected to the noray server.
func is_open() -> bool:
	return state == State.PLAYING and is_host and Noray.is_connected_to_host()


## Starts a noray server in this game. Returns its address, or null if it cannot start.
func _start_server(wanted: NorayAddress) -> NorayAddress:
	var err := _server.start(wanted.port, wanted.registrar_port)
	if err != OK:
		_end("%s If another game on this computer already runs a server, turn off 'Run a server here' to use that one."
				% _sentence(_server.last_error_message))
		return null
	_say("A noray server runs in this game, on TCP port %d and UDP port %d." % [
		_server.port, _server.registrar_port])
	if wanted.is_loopback():
		_say("Only games on this computer can reach it at %s." % wanted.host)
	server_started.emit(_server.port, _server.registrar_port)
	return NorayAddress.new(wanted.host, _server.port, _server.registrar_port)


func _begin(text: String) -> void:
	_is_cancelled = false
	progress = text
	_set_state(State.STARTING)


## Takes what [method Noray.host] or [method Noray.join] returned. Returns false without a game.
func _take(peer: ENetMultiplayerPeer) -> bool:
	if _is_cancelled:
		_end("")
	elif peer == null:
		_end(_sentence(Noray.last_error_message))
	else:
		multiplayer.multiplayer_peer = peer
		return true
	return false


func _play() -> void:
	_set_state(State.PLAYING)
	started.emit()


func _disconnect_peer(peer_id: int) -> void:
	if multiplayer.get_peers().has(peer_id):
		(multiplayer as SceneMultiplayer).disconnect_peer(peer_id)
		# Godot emits peer_disconnected only for peers that leave by themselves.
		peer_left.emit(peer_id)


## Returns to [constant State.IDLE].
func _end(reason: String) -> void:
	_close_everything()
	state_changed.emit()
	ended.emit(reason)


func _close_everything() -> void:
	# First, so that nothing below counts as a lost connection.
	state = State.IDLE
	_goodbye = ""
	Noray.leave()
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	Noray.disconnect_from_host()
	_server.stop()


func _set_state(new_state: State) -> void:
	state = new_state
	state_changed.emit()


func _say(text: String, is_problem: bool = false) -> void:
	logged.emit(text, is_problem)


## Makes a sentence of a message that is part of one.
func _sentence(message: String) -> String:
	if message.is_empty():
		return ""
	var full_stop := "" if message.right(1) in ".?!" else "."
	return message.left(1).to_upper() + message.substr(1) + full_stop


func _on_join_progressed(stage: Noray.JoinStage, message: String) -> void:
	if state == State.STARTING and stage != Noray.JOINED:
		progress = message.left(1).to_upper() + message.substr(1) + " …"
		_say(progress)
		state_changed.emit()
	elif state == State.STARTING:
		_say(_sentence(message))


func _on_oid_changed(oid: String) -> void:
	_say("This game has a new OpenID: %s. Others now need this one to join." % oid, true)
	state_changed.emit()


func _on_noray_lost() -> void:
	if state == State.PLAYING:
		_say("Lost the connection to the noray server. The game goes on%s." % (
				", but nobody new can join until it is back" if is_host else ""), true)


func _on_noray_found() -> void:
	if state == State.PLAYING:
		_say("The connection to the noray server is back.")


func _on_peer_connected(peer_id: int) -> void:
	# A joined player is told of the others too, but is connected to the host alone.
	var connection := Noray.get_connection(peer_id)
	if connection != null:
		peer_linked.emit(peer_id, connection)


func _on_host_lost() -> void:
	if state == State.PLAYING:
		_end(_goodbye if not _goodbye.is_empty() else "Lost the connection to the host.")


@rpc("authority", "call_remote", "reliable")
func _say_goodbye(reason: String) -> void:
	_goodbye = reason
	# The packet that ends the connection may be lost.
	get_tree().create_timer(2.0 * GOODBYE_TIME).timeout.connect(_on_goodbye_over)


func _on_goodbye_over() -> void:
	if not _goodbye.is_empty():
		_on_host_lost()
