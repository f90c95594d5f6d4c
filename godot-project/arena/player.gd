class_name Player
extends CharacterBody2D
## A player's figure: its owner moves it, everyone else sees it move smoothly.

const SPEED := 230.0
## How fast another player's figure approaches its target, per second.
const CATCH_UP := 16.0
## How long a figure keeps its last known velocity, in seconds.
const MAX_GUESS := 0.15
## In pixels: a figure that is farther from its target jumps there.
const MAX_LAG_DISTANCE := 150.0

## Position and velocity on the owner's side; the synchronizer carries both to the others.
var sent_position := Vector2.ZERO
var sent_velocity := Vector2.ZERO

var peer_id: int = 0
## The index of this player's place in the arena.
var place: int = 0
var player_name: String = ""
var color := Color.WHITE
## Moves this figure instead of the keys, if set.
var bot: Bot = null

var _heard: bool = false
var _since_heard: float = 0.0

@onready var _figure: Figure = $Figure
@onready var _name_label: Label = $NameLabel
@onready var _synchronizer: MultiplayerSynchronizer = $Synchronizer


## Call it before the figure enters the tree, with the same arguments on every peer.
func setup(the_peer_id: int, the_name: String, the_place: int, the_color: Color,
		at: Vector2) -> void:
	peer_id = the_peer_id
	place = the_place
	player_name = the_name
	color = the_color
	position = at
	sent_position = at
	name = str(peer_id)
	set_multiplayer_authority(peer_id)


func _ready() -> void:
	_figure.color = color
	_figure.is_mine = is_mine()
	_name_label.text = player_name
	_synchronizer.synchronized.connect(_on_synchronized)
	# Others appear where they are now, not where they began.
	visible = is_mine()


func _physics_process(delta: float) -> void:
	if is_mine():
		_move(delta)
	elif _heard:
		_follow(delta)


## Returns true for the figure of this game's own player.
func is_mine() -> bool:
	return is_multiplayer_authority()


## Returns true once the figure's position is known.
func is_placed() -> bool:
	return is_mine() or _heard


func _move(delta: float) -> void:
	var direction := Input.get_vector("move_left", "move_right", "move_up", "move_down")
	if bot != null:
		direction = bot.direction(position, delta)
	velocity = direction * SPEED
	_figure.walk = velocity
	move_and_slide()
	sent_position = position
	sent_velocity = get_real_velocity()


func _follow(delta: float) -> void:
	_since_heard += delta
	_figure.walk = sent_velocity
	var target := sent_position + sent_velocity * minf(_since_heard, MAX_GUESS)
	if position.distance_to(target) > MAX_LAG_DISTANCE:
		position = target
	else:
		position = position.lerp(target, 1.0 - exp(-CATCH_UP * delta))


func _on_synchronized() -> void:
	if not sent_position.is_finite() or not sent_velocity.is_finite():
		sent_position = position
		sent_velocity = Vector2.ZERO
	if not _heard:
		_heard = true
		position = sent_position
		visible = true
	_since_heard = 0.0
