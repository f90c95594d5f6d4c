extends Node
## Connects the parts: what the player does on the screens goes to the session; what happens in the
## session goes to the arena, the screens and standard output.

## With [code]--quit-when-met[/code], in seconds, until the player gives up.
const MEET_TIMEOUT := 60.0
## In seconds, how long a player stays after it has met the others, so that they can finish too.
const MEET_GRACE := 1.5
## In seconds, from player to player: Godot's host prints an error when two leave in the same frame.
const LEAVE_INTERVAL := 0.2
## In seconds: the host stays until the others have left, but no longer than this.
const HOST_MEET_GRACE := 8.0

const PATH_NAMES := {
	NorayConnection.LAN: "lan",
	NorayConnection.DIRECT: "direct",
	NorayConnection.RELAY: "relay",
}
const PATH_TEXTS := {
	NorayConnection.LAN: "in the local network",
	NorayConnection.DIRECT: "directly",
	NorayConnection.RELAY: "by relay",
}

var _arguments: DemoArguments
var _player_name: String = ""
var _has_met: bool = false

@onready var _session: NoraySession = $Session
@onready var _arena: Arena = $Arena
@onready var _movement_watch: MovementWatch = $MovementWatch
@onready var _screen: ConnectionScreen = $Ui/ConnectionScreen
@onready var _panel: GamePanel = $Ui/GamePanel


func _ready() -> void:
	_arguments = DemoArguments.parse(OS.get_cmdline_user_args())
	_arena.is_bot = _arguments.is_bot
	_movement_watch.arena = _arena
	_movement_watch.wanted = _arguments.others_to_meet
	_screen.session = _session
	_screen.show_arguments(_arguments)
	_panel.session = _session
	_panel.arena = _arena

	_session.logged.connect(_on_logged)
	_session.server_started.connect(_on_server_started)
	_session.started.connect(_on_started)
	_session.peer_linked.connect(_on_peer_linked)
	Noray.path_changed.connect(_on_path_changed)
	_session.peer_left.connect(_arena.remove)
	_session.peer_left.connect(_movement_watch.forget)
	_session.ended.connect(_on_ended)
	_arena.player_joined.connect(_on_player_joined)
	_arena.player_left.connect(_on_player_left)
	_movement_watch.saw.connect(_on_saw)
	_movement_watch.met.connect(_on_met)
	_screen.host_wanted.connect(_on_host_wanted)
	_screen.join_wanted.connect(_on_join_wanted)
	get_viewport().size_changed.connect(_center_arena)
	ReadableWindow.keep(get_window())
	_center_arena()
	_show_arena(false)
	_screen.add_line("Host a game, or join one with its host's OpenID. To try it alone, start the demo twice.", false)
	_start_automatically()


func _show_arena(in_play: bool) -> void:
	_arena.visible = in_play
	_panel.visible = in_play
	_screen.visible = not in_play


## A window of another shape than the arena shows it in the middle of what the panel leaves free.
func _center_arena() -> void:
	var free := get_viewport().get_visible_rect().size - Vector2(_panel.size.x, 0.0)
	_arena.position = ((free - Arena.SIZE) / 2.0).max(Vector2.ZERO).floor()


func _start_automatically() -> void:
	for mistake in _arguments.mistakes:
		_on_logged(mistake, true)
	if _arguments.quit_when_met:
		get_tree().create_timer(MEET_TIMEOUT).timeout.connect(_on_meet_timeout)
	if not _arguments.shot_file.is_empty():
		get_tree().create_timer(_arguments.shot_after).timeout.connect(_save_shot)
	if _arguments.wants_to_host:
		_screen.host.call_deferred()
	elif not _arguments.oid_to_join.is_empty():
		_screen.join.call_deferred()


func _on_host_wanted(address: NorayAddress, run_server: bool, player_name: String) -> void:
	_player_name = player_name
	_session.host_game(address, run_server)


func _on_join_wanted(address: NorayAddress, oid: String, force_relay: bool, player_name: String) -> void:
	_player_name = player_name
	_session.join_game(address, oid, force_relay)


func _on_started() -> void:
	if _session.is_host:
		_report("oid %s" % Noray.oid)
	_show_arena(true)
	_arena.enter(_player_name)


func _on_ended(reason: String) -> void:
	if not reason.is_empty():
		_report("log %s" % reason)
	_arena.clear()
	_movement_watch.clear()
	_show_arena(false)
	if _arguments.quit_when_met:
		_finish(0 if _has_met else 1, "")


func _on_logged(text: String, is_problem: bool) -> void:
	_report("log %s" % text)
	_screen.add_line(text, is_problem)
	_panel.add_line(text, is_problem)


func _on_server_started(port: int, registrar_port: int) -> void:
	_report("server %d %d" % [port, registrar_port])


func _on_peer_linked(_peer_id: int, connection: NorayConnection) -> void:
	_report("connected %s" % PATH_NAMES[connection.path])


func _on_path_changed(peer_id: int, path: NorayConnection.Path) -> void:
	_report("path %s" % PATH_NAMES[path])
	_panel.flash(peer_id, path)
	var player := _arena.player_of(peer_id)
	_on_logged("%s is connected %s now." % [
		player.player_name if player != null else "A player", PATH_TEXTS[path]], false)


func _on_player_joined(player: Player) -> void:
	if player.is_mine():
		return
	var text := "%s is in the game" % player.player_name
	var connection := Noray.get_connection(player.peer_id)
	if connection != null:
		text += ", connected %s" % PATH_TEXTS[connection.path]
	_on_logged(text + ".", false)


func _on_player_left(player: Player) -> void:
	# When this game ends, figures go as well, but nobody has left.
	if _session.state == NoraySession.State.PLAYING and not player.is_mine() \
			and not multiplayer.get_peers().has(player.peer_id):
		_on_logged("%s has left." % player.player_name, false)


func _on_saw(player_name: String) -> void:
	_report("sees %s moved" % player_name)


func _on_met() -> void:
	_report("met")
	if _arguments.quit_when_met:
		_finish_when_all_have_met()


func _on_meet_timeout() -> void:
	if not _has_met:
		_finish(1, "Gave up: did not meet the others within %d s." % int(MEET_TIMEOUT))


func _finish_when_all_have_met() -> void:
	_has_met = true
	var left := HOST_MEET_GRACE
	if not _session.is_host:
		left = MEET_GRACE + LEAVE_INTERVAL * _arena.player_of(multiplayer.get_unique_id()).place
	while left > 0.0 and not multiplayer.get_peers().is_empty():
		left -= get_process_delta_time()
		await get_tree().process_frame
	_finish(0, "")


## Ends an automatic run.
func _finish(exit_code: int, reason: String) -> void:
	if not reason.is_empty():
		_report("log %s" % reason)
	get_tree().quit(exit_code)


func _save_shot() -> void:
	var err := ERR_UNAVAILABLE
	if DisplayServer.get_name() != "headless":
		err = get_viewport().get_texture().get_image().save_png(_arguments.shot_file)
	_on_logged("Saved the picture to %s." % _arguments.shot_file if err == OK
			else "Could not save the picture: %s." % error_string(err), err != OK)


## Prints a line for the program that runs this demo automatically.
func _report(text: String) -> void:
	print("[demo] ", text)
