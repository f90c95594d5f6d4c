class_name MovementWatch
extends Node
## Notices when players see each other move, which an automatic run of the demo waits for.

## The figure of this player has visibly moved.
signal saw(player_name: String)
## This player has met as many others as it wanted to, and everyone who is here: each has seen
## the other's figure move.
signal met()

## In pixels, from where the figure was first seen.
const VISIBLE_MOVE := 50.0

var arena: Arena = null
## How many others to meet.
var wanted: int = 1

var _first_seen: Dictionary = {} # peer id -> Vector2
var _seen: Dictionary = {} # peer ids whose figure moved
var _seen_by: Dictionary = {} # peer ids that saw this player's figure move
var _met_count: int = 0
var _is_done: bool = false


func _physics_process(_delta: float) -> void:
	var others := arena.players().filter(func(player: Player) -> bool: return not player.is_mine())
	for player: Player in others:
		if player.is_placed() and not _seen.has(player.peer_id):
			_watch(player)
	if not _is_done and _met_count >= wanted \
			and others.all(func(player: Player) -> bool: return _has_met(player.peer_id)):
		_is_done = true
		met.emit()


## Forgets a player who has left.
func forget(peer_id: int) -> void:
	_first_seen.erase(peer_id)
	_seen.erase(peer_id)
	_seen_by.erase(peer_id)


## Forgets everyone, for the next game.
func clear() -> void:
	_first_seen.clear()
	_seen.clear()
	_seen_by.clear()
	_met_count = 0
	_is_done = false


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
	if _has_met(player.peer_id):
		_met_count += 1


@rpc("any_peer", "call_remote", "reliable")
func _report_seen() -> void:
	var peer_id := multiplayer.get_remote_sender_id()
	if not _has_met(peer_id):
		_seen_by[peer_id] = true
		if _has_met(peer_id):
			_met_count += 1


func _has_met(peer_id: int) -> bool:
	return _seen.has(peer_id) and _seen_by.has(peer_id)
