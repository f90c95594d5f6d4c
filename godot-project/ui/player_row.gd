class_name PlayerRow
extends HBoxContainer
## One player in the game panel.

const WAY_TEXTS := {
	NoraySession.Way.UNKNOWN: "connected",
	NoraySession.Way.DIRECT: "direct",
	NoraySession.Way.RELAY: "relay",
}
## Round trips from here on are felt, and from here on hurt, in ms.
const SLOW := 80
const VERY_SLOW := 180
const GOOD_COLOR := Color("5ad1b0")
const SLOW_COLOR := Color("f5c542")
const BAD_COLOR := Color("ff9d8a")

var player: Player
var session: NoraySession

@onready var _dot: ColorDot = $Dot
@onready var _name_label: Label = $NameLabel
@onready var _way_label: Label = $WayLabel
@onready var _round_trip_label: Label = $RoundTripLabel
@onready var _kick_button: Button = $KickButton


func _ready() -> void:
	_dot.color = player.color
	_name_label.text = player.player_name
	_kick_button.pressed.connect(_on_kick_pressed)
	refresh()


## Shows how the player is connected at this moment.
func refresh() -> void:
	var round_trip := session.round_trip_to(player.peer_id)
	_kick_button.visible = session.is_host and not player.is_mine()
	_round_trip_label.visible = round_trip >= 0
	_round_trip_label.text = "%d ms" % round_trip
	_round_trip_label.modulate = GOOD_COLOR if round_trip < SLOW \
			else SLOW_COLOR if round_trip < VERY_SLOW else BAD_COLOR
	if round_trip >= 0:
		_way_label.text = WAY_TEXTS[session.way_to(player.peer_id)]
	elif player.is_mine():
		_way_label.text = "you, host" if session.is_host else "you"
	else:
		# Only the host is linked to everyone; it passes on what the others do.
		_way_label.text = "via the host"


func _on_kick_pressed() -> void:
	_kick_button.disabled = true
	session.dismiss(player.peer_id, "The host removed you from the game.")
