extends Node
## Hosts or joins a game, prints its events, and does what the others tell it.
## Arguments: "host", "join", "idle" for a host whose game does not run, or "loading" for one whose
## game stands still for a while; the noray server; the
## options as [method @GlobalScope.var_to_str] writes them; the host's OpenID, or how many players
## may come.

const Talk := preload("res://children/talk.gd")

## What a host says to each player in its handler of [signal MultiplayerAPI.peer_connected].
const WELCOME: PackedStringArray = ["welcome 1", "welcome 2", "welcome 3"]

## In milliseconds.
const LOADING_TIME := 7000

var _role: String = ""
var _noray: String = ""
var _options: Dictionary = {}
var _subject: String = ""
var _talk: Talk
## Held, but not polled, by an idle host.
var _idle_peer: ENetMultiplayerPeer


func begin(arguments: PackedStringArray) -> void:
	_role = arguments[0]
	_noray = arguments[1]
	_options = str_to_var(arguments[2])
	_subject = arguments[3]


func _ready() -> void:
	_talk = Talk.new()
	_talk.name = Talk.NODE_NAME
	get_tree().root.add_child.call_deferred(_talk)
	_talk.heard.connect(_on_heard)
	Noray.join_progressed.connect(
			func(stage: Noray.JoinStage, message: String) -> void:
				print("[child] progressed ", stage, " ", message)
	)
	Noray.path_changed.connect(
			func(peer_id: int, path: NorayConnection.Path) -> void:
				print("[child] path ", peer_id, " ", path)
	)
	Noray.oid_changed.connect(func(oid: String) -> void: print("[child] oid changed ", oid))
	multiplayer.connected_to_server.connect(func() -> void: print("[child] connected_to_server"))
	multiplayer.server_disconnected.connect(func() -> void: print("[child] server_disconnected"))
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(
			func(id: int) -> void: print("[child] peer_disconnected ", id)
	)
	var peer: ENetMultiplayerPeer
	if _role != "join":
		peer = await Noray.host(_noray, _subject.to_int(), _options)
	else:
		peer = await Noray.join(_subject, _noray, _options)
	if peer == null:
		print("[child] failed ", error_string(Noray.last_error), ": ", Noray.last_error_message)
		get_tree().quit()
		return
	if _role == "idle":
		_idle_peer = peer
	else:
		multiplayer.multiplayer_peer = peer
	print("[child] oid ", Noray.oid)
	if _role == "loading":
		await get_tree().create_timer(0.2).timeout
		OS.delay_msec(LOADING_TIME)


func _on_peer_connected(id: int) -> void:
	print("[child] peer_connected ", id)
	if _role == "host":
		for words in WELCOME:
			_talk.say.rpc_id(id, words)


func _on_heard(from: int, words: String) -> void:
	print("[child] heard ", from, " ", words)
	if words.begins_with("send "):
		_talk.say.rpc_id(from, "x".repeat(words.trim_prefix("send ").to_int()))
	match words:
		"quit":
			get_tree().quit()
		"close":
			multiplayer.multiplayer_peer.close()
		"let go":
			multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
		"connection":
			_talk.say.rpc_id(from, _connection(from))
		"ping":
			_talk.say.rpc_id(from, "pong")


func _connection(peer_id: int) -> String:
	var connection := Noray.get_connection(peer_id)
	return "none" if connection == null else "%s %s" % [connection.path, connection.is_alive()]
