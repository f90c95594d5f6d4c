class_name DemoMeeting
extends Node
## Notices when players see each other move: what an automatic run of the demo waits for.

## The figure of this player has visibly moved.
signal saw(player_name: String)
## This game saw another one's figure move, and that one saw this one's.
signal met()

## In pixels from where the figure was first seen.
const VISIBLE_MOVE := 50.0

var arena: Arena = null

var _first_seen: Dictionary = {} # peer id -> Vector2
var _seen: Dictionary = {} # peer ids whose figure moved
var _seen_by: Dictionary = {} # peer ids that saw this game's figure move
var _has_met: bool = false


func _ready() -> void:
	multiplayer.peer_disconnected.connect(_forget)


func _physics_process(_delta: float) -> void:
	for player in arena.players():
		if not player.is_mine() and player.is_placed() and not _seen.has(player.peer_id):
			_watch(player)


## Forgets everyone, for the next game.
func clear() -> void:
	_first_seen.clear()
	_seen.clear()
	_seen_by.clear()
	_has_met = false


func _forget(peer_id: int) -> void:
	_first_seen.erase(peer_id)
	_seen.erase(peer_id)
	_seen_by.erase(peer_id)


func _watch(player: Player) -> void:
	if not _first_seen.has(player.peer_id):
		_first_seen[player.peer_id] = player.position
	var start: Vector2 = _first_seen[player.peer_id]
	if player.position.distance_to(start) < VISIBLE_MOVE:
		return
	if not multiplayer.get_peers().has(player.peer_id):
		return
	_seen[player.peer_id] = true
	saw.emit(player.player_name)
	_report_seen.rpc_id(player.peer_id)
	_check(player.peer_id)


@rpc("any_peer", "call_remote", "reliable")
func _report_seen() -> void:
	var peer_id := multiplayer.get_remote_sender_id()
	_seen_by[peer_id] = true
	_check(peer_id)


func _check(peer_id: int) -> void:
	if not _has_met and _seen.has(peer_id) and _seen_by.has(peer_id):
		_has_met = true
		met.emit()
