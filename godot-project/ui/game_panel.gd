class_name GamePanel
extends Control
## The panel beside the arena: the players and their connections, the OpenID, the leave button.

const ROW_SCENE := preload("res://ui/player_row.tscn")
const REFRESH_INTERVAL := 1.0 / ConnectionPlot.SAMPLES_PER_SECOND
const COPIED_TIME := 1.5
## Holds the rows of a full game, one of them unfolded; the log gets the rest.
const MAX_ROWS_HEIGHT := 320.0
## With more connections than this, the rows are folded.
const MAX_UNFOLDED := 3

var session: NoraySession:
	set(value):
		session = value
		session.state_changed.connect(_refresh)
var arena: Arena:
	set(value):
		arena = value
		arena.player_joined.connect(_on_player_joined)
		arena.player_left.connect(_on_player_left)

## Whom the dialog is about.
var _player_to_kick: Player = null
## The row that is unfolded although there are many.
var _unfolded: PlayerRow = null

@onready var _scroll: ScrollContainer = %Scroll
@onready var _rows: VBoxContainer = %Rows
@onready var _legend: Control = %Legend
@onready var _count_label: Label = %CountLabel
@onready var _invitation: Control = %Invitation
@onready var _oid_field: LineEdit = %OidField
@onready var _copy_button: Button = %CopyButton
@onready var _invitation_hint: Label = %InvitationHint
@onready var _log_view: LogView = %LogView
@onready var _leave_button: Button = %LeaveButton
@onready var _timer: Timer = $RefreshTimer
@onready var _kick_dialog: ConfirmationDialog = $KickDialog


func _ready() -> void:
	_rows.minimum_size_changed.connect(_fit_rows)
	_copy_button.pressed.connect(_on_copy_pressed)
	_leave_button.pressed.connect(_on_leave_pressed)
	_kick_dialog.confirmed.connect(_on_kick_confirmed)
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
	_fold_rows()


## Folds the rows when there are many, except one that the player has unfolded.
func _fold_rows() -> void:
	var connected := _rows.get_children().filter(
			func(row: PlayerRow) -> bool: return row.is_connected_directly())
	for row: PlayerRow in _rows.get_children():
		row.is_folded = connected.size() > MAX_UNFOLDED and row != _unfolded
	_legend.visible = connected.any(func(row: PlayerRow) -> bool: return not row.is_folded)


func _refresh() -> void:
	_leave_button.disabled = session.state != NoraySession.State.PLAYING
	_invitation.visible = session.is_host
	if session.is_host:
		_oid_field.text = Noray.oid
		_copy_button.disabled = not session.is_open()
		_invitation_hint.text = _invitation_text()
	_count_label.text = "Players %d / %d" % [arena.players().size(), NoraySession.MAX_PLAYERS]


func _invitation_text() -> String:
	if not session.is_open():
		return "Nobody new can join until the noray server is back."
	if session.address.is_loopback():
		return "Others on this computer join with this ID."
	return "Others join with this ID and the noray server %s." % session.address.to_enter()


func _fit_rows() -> void:
	_scroll.custom_minimum_size.y = minf(_rows.get_combined_minimum_size().y, MAX_ROWS_HEIGHT)


func _on_player_joined(player: Player) -> void:
	var row: PlayerRow = ROW_SCENE.instantiate()
	row.player = player
	row.session = session
	row.unfold_wanted.connect(_on_unfold_wanted.bind(row))
	row.kick_wanted.connect(_on_kick_wanted.bind(player))
	_rows.add_child(row)
	_refresh()


func _on_player_left(player: Player) -> void:
	if player == _player_to_kick:
		_player_to_kick = null
		_kick_dialog.hide()
	for row: PlayerRow in _rows.get_children():
		if row.player == player:
			if row == _unfolded:
				_unfolded = null
			_rows.remove_child(row)
			row.queue_free()
	_refresh()


func _on_unfold_wanted(row: PlayerRow) -> void:
	_unfolded = row if row != _unfolded else null
	_fold_rows()


func _on_kick_wanted(player: Player) -> void:
	_player_to_kick = player
	_kick_dialog.dialog_text = "Remove %s from the game?" % player.player_name
	_kick_dialog.popup_centered()


func _on_kick_confirmed() -> void:
	if _player_to_kick != null:
		session.dismiss(_player_to_kick.peer_id, "The host removed you from the game.")


func _on_copy_pressed() -> void:
	DisplayServer.clipboard_set(Noray.oid)
	_copy_button.text = "Copied"
	get_tree().create_timer(COPIED_TIME).timeout.connect(_copy_button.set_text.bind("Copy"))


func _on_leave_pressed() -> void:
	session.leave()
