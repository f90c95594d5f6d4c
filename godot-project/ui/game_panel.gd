class_name GamePanel
extends Control
## Beside the arena: who plays, by which way and how far away; the OpenID; the way out.

const ROW_SCENE := preload("res://ui/player_row.tscn")
## How often the round trips are read, in seconds.
const REFRESH_INTERVAL := 0.5
const COPIED_TIME := 1.5

var session: NoraySession:
	set(value):
		session = value
		session.state_changed.connect(_refresh)
var arena: Arena:
	set(value):
		arena = value
		arena.player_joined.connect(_on_player_joined)
		arena.player_left.connect(_on_player_left)

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
	_copy_button.pressed.connect(_on_copy_pressed)
	_leave_button.pressed.connect(_on_leave_pressed)
	_timer.timeout.connect(_refresh)
	_timer.start(REFRESH_INTERVAL)


func add_line(text: String, is_problem: bool) -> void:
	_log_view.add_line(text, is_problem)


func _refresh() -> void:
	_leave_button.disabled = session.state != NoraySession.State.PLAYING
	_invitation.visible = session.is_host
	if session.is_host:
		_oid_field.text = Noray.oid
		_copy_button.disabled = not session.is_open()
		_invitation_hint.text = "Others join with this ID." if session.is_open() \
				else "Nobody new can join: the noray server is gone."
	for row: PlayerRow in _rows.get_children():
		row.refresh()
	_count_label.text = "Players %d / %d" % [arena.players().size(), NoraySession.MAX_PLAYERS]


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
