class_name GamePanel
extends Control
## The panel beside the arena: the players and their connections, the OpenID, the leave button.

const ROW_SCENE := preload("res://ui/player_row.tscn")
const REFRESH_INTERVAL := 1.0 / ConnectionPlot.SAMPLES_PER_SECOND
const COPIED_TIME := 1.5
## Holds four players' rows; more of them scroll.
const MAX_ROWS_HEIGHT := 250.0

var session: NoraySession:
	set(value):
		session = value
		session.state_changed.connect(_refresh)
var arena: Arena:
	set(value):
		arena = value
		arena.player_joined.connect(_on_player_joined)
		arena.player_left.connect(_on_player_left)

@onready var _scroll: ScrollContainer = %Scroll
@onready var _rows: VBoxContainer = %Rows
@onready var _count_label: Label = %CountLabel
@onready var _invitation: Control = %Invitation
@onready var _oid_field: LineEdit = %OidField
@onready var _copy_button: Button = %CopyButton
@onready var _invitation_hint: Label = %InvitationHint
@onready var _log_view: LogView = %LogView
@onready var _leave_button: Button = %LeaveButton
@onready var _timer: Timer = $RefreshTimer


func _ready() -> void:
	_rows.minimum_size_changed.connect(_fit_rows)
	_copy_button.pressed.connect(_on_copy_pressed)
	_leave_button.pressed.connect(_on_leave_pressed)
	_timer.timeout.connect(_sample)
	_timer.start(REFRESH_INTERVAL)


func add_line(text: String, is_problem: bool) -> void:
	_log_view.add_line(text, is_problem)


## Highlights a player's new path.
func flash(peer_id: int, path: NorayConnection.Path) -> void:
	for row: PlayerRow in _rows.get_children():
		if row.player.peer_id == peer_id:
			row.flash(path)


func _sample() -> void:
	if session.state != NoraySession.State.PLAYING:
		return
	_refresh()
	for row: PlayerRow in _rows.get_children():
		row.refresh()


func _refresh() -> void:
	_leave_button.disabled = session.state != NoraySession.State.PLAYING
	_invitation.visible = session.is_host
	if session.is_host:
		_oid_field.text = Noray.oid
		_copy_button.disabled = not session.is_open()
		_invitation_hint.text = "Others join with this ID." if session.is_open() \
				else "Nobody new can join until the noray server is back."
	_count_label.text = "Players %d / %d" % [arena.players().size(), NoraySession.MAX_PLAYERS]


func _fit_rows() -> void:
	_scroll.custom_minimum_size.y = minf(_rows.get_combined_minimum_size().y, MAX_ROWS_HEIGHT)


func _on_player_joined(player: Player) -> void:
	var row: PlayerRow = ROW_SCENE.instantiate()
	row.player = player
	row.session = session
	_rows.add_child(row)
	_refresh()


func _on_player_left(player: Player) -> void:
	for row: PlayerRow in _rows.get_children():
		if row.player == player:
			_rows.remove_child(row)
			row.queue_free()
	_refresh()


func _on_copy_pressed() -> void:
	DisplayServer.clipboard_set(Noray.oid)
	_copy_button.text = "Copied"
	get_tree().create_timer(COPIED_TIME).timeout.connect(_copy_button.set_text.bind("Copy"))


func _on_leave_pressed() -> void:
	session.leave()
