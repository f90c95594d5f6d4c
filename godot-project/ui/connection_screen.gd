class_name ConnectionScreen
extends Control
## The screen where a player hosts or joins, and reads what happens.

signal host_wanted(address: NorayAddress, run_server: bool, player_name: String)
signal join_wanted(address: NorayAddress, oid: String, force_relay: bool, player_name: String)

const LOOPBACK := "127.0.0.1"
const NAMES: PackedStringArray = ["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana"]

var session: NoraySession:
	set(value):
		session = value
		session.state_changed.connect(_refresh)
		session.ended.connect(_show_notice)

var _can_run_server: bool = false
var _own_addresses := NorayAddress.of_this_computer()
var _registrar_port: int = NorayAddress.DEFAULT_REGISTRAR_PORT

@onready var _name_field: LineEdit = %NameField
@onready var _address_field: LineEdit = %AddressField
@onready var _address_hint: Label = %AddressHint
@onready var _run_server_switch: CheckButton = %RunServerSwitch
@onready var _host_button: Button = %HostButton
@onready var _oid_field: LineEdit = %OidField
@onready var _paste_button: Button = %PasteButton
@onready var _relay_check: CheckBox = %RelayCheck
@onready var _join_button: Button = %JoinButton
@onready var _notice: PanelContainer = %Notice
@onready var _notice_label: Label = %NoticeLabel
@onready var _log_view: LogView = %LogView
@onready var _waiting: Control = %Waiting
@onready var _waiting_label: Label = %WaitingLabel
@onready var _cancel_button: Button = %CancelButton


func _ready() -> void:
	_address_field.text_changed.connect(_on_address_changed)
	_oid_field.text_changed.connect(_on_oid_changed)
	_oid_field.text_submitted.connect(_on_oid_submitted)
	_host_button.pressed.connect(host)
	_paste_button.pressed.connect(_on_paste_pressed)
	_join_button.pressed.connect(join)
	_cancel_button.pressed.connect(_on_cancel_pressed)


## Fills the fields from the command line.
func show_arguments(arguments: DemoArguments) -> void:
	_name_field.text = arguments.player_name if not arguments.player_name.is_empty() \
			else NAMES[randi() % NAMES.size()]
	_address_field.text = arguments.noray_address
	if _address_field.text.is_empty():
		_address_field.text = _own_addresses[0] if not _own_addresses.is_empty() else LOOPBACK
	_registrar_port = arguments.registrar_port
	_oid_field.text = arguments.oid_to_join
	_relay_check.button_pressed = arguments.force_relay
	_on_address_changed(_address_field.text)
	if arguments.wants_to_host:
		_run_server_switch.button_pressed = arguments.run_server
	_refresh()


## Hosts a game with what the fields say.
func host() -> void:
	var address := _address()
	if _is_idle() and address != null:
		_clear_notice()
		host_wanted.emit(address, _run_server_switch.button_pressed, _name_field.text)


## Joins a game with what the fields say.
func join() -> void:
	var address := _address()
	if _is_idle() and address != null and not _oid().is_empty():
		_clear_notice()
		join_wanted.emit(address, _oid(), _relay_check.button_pressed, _name_field.text)


func add_line(text: String, is_problem: bool) -> void:
	_log_view.add_line(text, is_problem)


func _address() -> NorayAddress:
	return NorayAddress.parse(_address_field.text, _registrar_port)


func _oid() -> String:
	return _oid_field.text.strip_edges()


func _is_idle() -> bool:
	return session.state == NoraySession.State.IDLE


func _refresh() -> void:
	var is_idle := _is_idle()
	var address := _address()
	_address_hint.text = _hint(address)
	_address_hint.theme_type_variation = &"MistakeLabel" if address == null else &"HintLabel"
	_name_field.editable = is_idle
	_address_field.editable = is_idle
	_run_server_switch.disabled = not is_idle or not _can_run_server
	_host_button.disabled = not is_idle or address == null
	_oid_field.editable = is_idle
	_paste_button.disabled = not is_idle
	_relay_check.disabled = not is_idle
	_join_button.disabled = not is_idle or address == null or _oid().is_empty()
	_waiting.visible = not is_idle
	_waiting_label.text = session.progress if session.state == NoraySession.State.STARTING else ""
	_cancel_button.disabled = session.state == NoraySession.State.LEAVING


## Says who can reach a server at this address.
func _hint(address: NorayAddress) -> String:
	if address == null:
		return "Enter a name or an address, such as 127.0.0.1:8890."
	if address.is_loopback():
		var text := "Only games on this computer can reach this address."
		if not _own_addresses.is_empty():
			text += " Others in your network can reach %s." % " or ".join(_own_addresses.slice(0, 2))
		return text
	if address.is_local():
		return "Others in your network can enter this address too. Across the internet, use a server that everyone can reach."
	return "Everyone who plays together enters the same server."


## The notice becomes a line of the log.
func _clear_notice() -> void:
	if _notice.visible:
		_notice.hide()
		add_line(_notice_label.text, true)


func _show_notice(text: String) -> void:
	_notice_label.text = text
	_notice.visible = not text.is_empty()
	if text.is_empty():
		add_line("You left the game.", false)


func _on_address_changed(_text: String) -> void:
	# A server can run only at an address of this computer.
	var address := _address()
	var can_run := address != null and address.is_local()
	if can_run != _can_run_server:
		_can_run_server = can_run
		_run_server_switch.button_pressed = can_run
	_refresh()


func _on_oid_changed(_text: String) -> void:
	_refresh()


func _on_oid_submitted(_text: String) -> void:
	join()


func _on_paste_pressed() -> void:
	_oid_field.text = DisplayServer.clipboard_get().strip_edges()
	_refresh()


func _on_cancel_pressed() -> void:
	session.leave()
