class_name PlayerRow
extends VBoxContainer
## A player in the game panel, with the connection to it now and over the last minute.

## The player wants to see this row's plot, or to hide it again.
signal unfold_wanted()
## The host wants to remove the player.
signal kick_wanted()

const PATH_TEXTS := {
	NorayConnection.LAN: "LAN",
	NorayConnection.DIRECT: "DIRECT",
	NorayConnection.RELAY: "RELAY",
}
const PATH_COLORS := {
	NorayConnection.LAN: &"lan",
	NorayConnection.DIRECT: &"direct",
	NorayConnection.RELAY: &"relay",
}
const THEME_TYPE := &"PathLabel"
## How long a change of path is highlighted, in seconds.
const FLASH_TIME := 2.0
const FLASH_ALPHA := 0.45

var player: Player
var session: NoraySession
## Shows one line, without the plot.
var is_folded: bool = false:
	set(value):
		is_folded = value
		_fold()

var _is_connected: bool = false
var _flash: Tween = null
var _flash_color := Color.TRANSPARENT

@onready var _dot: ColorDot = $Heading/Dot
@onready var _name_label: Label = $Heading/NameLabel
@onready var _folded_label: Label = $Heading/FoldedLabel
@onready var _path_label: Label = $Heading/PathLabel
@onready var _role_label: Label = $Heading/RoleLabel
@onready var _kick_button: Button = $Heading/KickButton
@onready var _figures: Control = $Figures
@onready var _plot: ConnectionPlot = $Figures/Plot
@onready var _round_trip_label: Label = $Figures/Values/RoundTripLabel
@onready var _loss_label: Label = $Figures/Values/LossLabel


func _draw() -> void:
	if _flash_color.a > 0.0:
		draw_rect(Rect2(Vector2.ZERO, size), _flash_color)


func _gui_input(event: InputEvent) -> void:
	var click := event as InputEventMouseButton
	if click != null and click.pressed and click.button_index == MOUSE_BUTTON_LEFT:
		unfold_wanted.emit()


func _ready() -> void:
	_dot.color = player.color
	_name_label.text = player.player_name
	_kick_button.visible = session.is_host and not player.is_mine()
	_kick_button.pressed.connect(kick_wanted.emit)
	refresh()


## Shows how the player is connected now, and adds a sample to the plot.
func refresh() -> void:
	var connection := Noray.get_connection(player.peer_id)
	_is_connected = connection != null
	_fold()
	_path_label.visible = connection != null
	_role_label.visible = connection == null
	if connection != null:
		_show_connection(connection)
	elif player.is_mine():
		_role_label.text = "you, host" if session.is_host else "you"
	else:
		# Joined players are connected to the host alone; it passes on what they do.
		_role_label.text = "via the host" if not session.is_host else ""


## Returns whether this game is connected to the player without another one between.
func is_connected_directly() -> bool:
	return _is_connected


## Highlights a new path.
func flash(path: NorayConnection.Path) -> void:
	var color := _path_color(path)
	_show_path(path)
	_plot.mark_change(color)
	if _flash != null:
		_flash.kill()
	_flash = create_tween()
	_flash.tween_method(_set_flash, Color(color, FLASH_ALPHA), Color(color, 0.0), FLASH_TIME)


func _show_connection(connection: NorayConnection) -> void:
	_show_path(connection.path)
	_plot.add_sample(connection.round_trip, connection.loss)
	_round_trip_label.text = _milliseconds(connection.round_trip)
	_loss_label.text = "%d %% loss" % roundi(connection.loss * 100.0)
	_folded_label.text = _round_trip_label.text
	tooltip_text = "%s\n" % player.player_name + "%s:%d\nLoss %d %%, jitter %s\nSent %s, received %s\nThis path for %d s" % [
		connection.address, connection.port, roundi(connection.loss * 100.0),
		_milliseconds(connection.jitter),
		String.humanize_size(connection.bytes_sent), String.humanize_size(connection.bytes_received),
		int(connection.since)]
	if is_folded:
		tooltip_text += "\nClick to show the plot"


func _fold() -> void:
	_figures.visible = _is_connected and not is_folded
	_folded_label.visible = _is_connected and is_folded


func _show_path(path: NorayConnection.Path) -> void:
	_path_label.text = PATH_TEXTS[path]
	_path_label.add_theme_color_override(&"font_color", _path_color(path))


func _milliseconds(seconds: float) -> String:
	if seconds < 0.0:
		return "? ms"
	return ("%.1f ms" if seconds < 0.00995 else "%.0f ms") % (seconds * 1000.0)


func _path_color(path: NorayConnection.Path) -> Color:
	return get_theme_color(PATH_COLORS[path] as StringName, THEME_TYPE)


func _set_flash(color: Color) -> void:
	_flash_color = color
	queue_redraw()
