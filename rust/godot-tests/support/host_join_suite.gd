extends "res://support/process_suite.gd"
## Base of the suites of [code]host[/code] and [code]join[/code]: a noray server, and other players
## in processes of their own with which a test talks.

const Talk := preload("res://children/talk.gd")

## In seconds, from the start of a process until it plays.
const START_LIMIT := 20.0

var server: NorayServer
var talk: Talk
## The events of this player's game, in order.
var events: Array[String] = []


func before_each() -> void:
	server = start_server()
	talk = Talk.new()
	talk.name = Talk.NODE_NAME
	get_tree().root.add_child.call_deferred(talk)
	talk.heard.connect(_on_heard)
	multiplayer.connected_to_server.connect(_on_connected_to_server)
	multiplayer.server_disconnected.connect(_on_server_disconnected)
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	await get_tree().process_frame


func after_each() -> void:
	talk.queue_free()
	super()


## Returns the address of [member server].
func here() -> String:
	return "%s:%d" % [HERE, server.port]


## Returns the options that [member server] needs, and [param more].
func options(more: Dictionary = {}) -> Dictionary:
	var all: Dictionary = {"registrar_port": server.registrar_port}
	all.merge(more, true)
	return all


## Starts another player who hosts.
func start_host(max_clients: int = 8, more: Dictionary = {}) -> Child:
	return start_player("host", str(max_clients), more)


## Starts another player who joins.
func start_joining_player(oid: String, more: Dictionary = {}) -> Child:
	return start_player("join", oid, more)


func start_player(role: String, subject: String, more: Dictionary) -> Child:
	return start_child("player", [role, here(), var_to_str(options(more)), subject])


## Waits until another player is in a game, and returns its OpenID.
func oid_of(player: Child) -> String:
	var oid := await player.wait_for_line("[child] oid ", START_LIMIT)
	check(not oid.is_empty(), "no OpenID:\n" + "\n".join(player.log_lines()))
	return oid


## Hosts in this process. Returns null, and notes a failure, on error.
func host_here(max_clients: int = 8, more: Dictionary = {}) -> ENetMultiplayerPeer:
	var peer: ENetMultiplayerPeer = await Noray.host(here(), max_clients, options(more))
	if not check(peer != null, "not hosted: " + Noray.last_error_message):
		return null
	multiplayer.multiplayer_peer = peer
	return peer


## Joins in this process. Returns null, and notes a failure, on error.
func join_here(oid: String, more: Dictionary = {}) -> ENetMultiplayerPeer:
	var peer: ENetMultiplayerPeer = await Noray.join(oid, here(), options(more))
	if not check(peer != null, "not joined: " + Noray.last_error_message):
		return null
	multiplayer.multiplayer_peer = peer
	return peer


## Waits for an event of this player's game.
func happens(event: String, seconds: float = 5.0) -> bool:
	await wait_until(func() -> bool: return event in events, seconds)
	return check(event in events, "'%s' is not among %s" % [event, events])


## Waits until another player has printed [param line].
func says(player: Child, line: String, seconds: float = START_LIMIT) -> bool:
	line = "[child] " + line
	await wait_until(func() -> bool: return line in player.output(), seconds)
	return check(
			line in player.output(), "it did not say '%s':\n" % line + "\n".join(player.log_lines())
	)


## Checks the error of a failed [code]host[/code] or [code]join[/code], and that its sentence
## contains [param words].
func check_refused(peer: ENetMultiplayerPeer, wanted: Error, words: PackedStringArray) -> void:
	check(peer == null, "it gave a peer")
	check_error(Noray.last_error, wanted)
	check_message(words)


func _on_heard(from: int, words: String) -> void:
	events.append("%d said %s" % [from, words])


func _on_connected_to_server() -> void:
	events.append("connected_to_server")


func _on_server_disconnected() -> void:
	events.append("server_disconnected")


func _on_peer_connected(id: int) -> void:
	events.append("peer_connected %d" % id)


func _on_peer_disconnected(id: int) -> void:
	events.append("peer_disconnected %d" % id)
