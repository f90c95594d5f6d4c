class_name Arena
extends Node2D
## Where the players are. The host decides who is in it; the spawner shows the figures to everyone,
## also to players who come later.

signal player_joined(player: Player)
signal player_left(player: Player)

const PLAYER_SCENE := preload("res://arena/player.tscn")
const MAX_NAME_LENGTH := 16
## One for each place; as easy for colour-blind players to tell apart as eight colours can be.
const COLORS: Array[Color] = [
	Color("f0616d"), Color("4d9df8"), Color("f5c542"), Color("4cc38a"),
	Color("b083f0"), Color("f58a42"), Color("5fd4e6"), Color("f59ac8"),
]
## With the walls.
const SIZE := Vector2(880, 660)
const WALKABLE := Rect2(50, 90, 788, 500)

## A bot moves this game's own figure.
var is_bot: bool = false

@onready var _figures: Node2D = $Figures
@onready var _spawner: MultiplayerSpawner = $Spawner
@onready var _places: Node2D = $Places


func _ready() -> void:
	_spawner.spawn_function = _make_player
	_figures.child_entered_tree.connect(_on_figure_entered)
	_figures.child_exiting_tree.connect(_on_figure_exiting)


## Puts this game's own player into the arena.
func enter(player_name: String) -> void:
	if multiplayer.is_server():
		_add_player(multiplayer.get_unique_id(), player_name)
	else:
		_introduce.rpc_id(MultiplayerPeer.TARGET_PEER_SERVER, player_name)


## Removes a player: on the host, and thereby everywhere.
func remove(peer_id: int) -> void:
	var player := player_of(peer_id)
	if multiplayer.is_server() and player != null:
		player.queue_free()


## Removes everybody.
func clear() -> void:
	for player in players():
		player.queue_free()


func players() -> Array[Player]:
	var found: Array[Player] = []
	for child in _figures.get_children():
		if child is Player and not child.is_queued_for_deletion():
			found.append(child)
	return found


func player_of(peer_id: int) -> Player:
	for player in players():
		if player.peer_id == peer_id:
			return player
	return null


@rpc("any_peer", "call_remote", "reliable")
func _introduce(player_name: String) -> void:
	var peer_id := multiplayer.get_remote_sender_id()
	if multiplayer.is_server() and player_of(peer_id) == null:
		_add_player(peer_id, player_name)


func _add_player(peer_id: int, player_name: String) -> void:
	var place := _free_place()
	if place < 0:
		return
	_spawner.spawn({
		"peer_id": peer_id,
		"name": _distinct_name(player_name),
		"place": place,
	})


## Runs on every peer, for every figure that the host spawns.
func _make_player(data: Dictionary) -> Node:
	var place: int = clampi(data["place"] as int, 0, COLORS.size() - 1)
	var start: Node2D = _places.get_child(place)
	var player: Player = PLAYER_SCENE.instantiate()
	player.setup(data["peer_id"] as int, data["name"] as String, place, COLORS[place],
			start.position)
	return player


func _free_place() -> int:
	for place in COLORS.size():
		if players().all(func(player: Player) -> bool: return player.place != place):
			return place
	return -1


## Names come from the network: this one is cut to size, and unlike all others.
func _distinct_name(wanted: String) -> String:
	var base := wanted.strip_escapes().strip_edges().left(MAX_NAME_LENGTH)
	if base.is_empty():
		base = "Player"
	var candidate := base
	var number := 2
	while players().any(func(player: Player) -> bool: return player.player_name == candidate):
		candidate = "%s %d" % [base, number]
		number += 1
	return candidate


func _on_figure_entered(node: Node) -> void:
	var player := node as Player
	if player.is_mine() and is_bot:
		player.bot = Bot.new(WALKABLE)
	player_joined.emit(player)


func _on_figure_exiting(node: Node) -> void:
	player_left.emit(node as Player)
