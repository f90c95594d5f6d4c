class_name Player
extends CharacterBody2D
## One player's figure: moved by its owner, shown smoothly to everyone else.

const SPEED := 230.0
## How fast a remote figure closes in on where it should be, per second.
const CATCH_UP := 16.0
## For so long a figure goes on as it was last heard to go, in seconds.
const MAX_GUESS := 0.15
## A figure that is farther off than this is put into place at once.
const MAX_LAG_DISTANCE := 150.0

## Where the owner's figure is and goes; the synchronizer carries both to the others.
var sent_position := Vector2.ZERO
var sent_velocity := Vector2.ZERO

var peer_id: int = 0
## Which of the arena's places is this player's, from 0.
var place: int = 0
var player_name: String = ""
var color := Color.WHITE
## Moves this figure in place of the keys, if there is one.
var bot: Bot = null

var _heard: bool = false
var _since_heard: float = 0.0

@onready var _figure: Figure = $Figure
@onready var _name_label: Label = $NameLabel
@onready var _synchronizer: MultiplayerSynchronizer = $Synchronizer


## Must be called before the figure enters the tree, alike on every peer.
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
	# Others appear where they are by now, not where they once began.
	visible = is_mine()


func _physics_process(delta: float) -> void:
	if is_mine():
		_move(delta)
	elif _heard:
		_follow(delta)


## True for the figure that this game moves.
func is_mine() -> bool:
	return is_multiplayer_authority()


## True once it is known where the figure is.
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
