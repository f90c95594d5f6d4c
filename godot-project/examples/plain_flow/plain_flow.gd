extends Control
## The plain flow, as in noray's guide: connect, register, be announced to each other, shake hands,
## let ENet connect.
##
## A new game should call [method Noray.host] and [method Noray.join] instead, which do all of this,
## try all paths at once, and change to a better one in mid-game. This flow is for a game that
## [br]- has this code from netfox.noray, and does not want to change it;
## [br]- binds the registered port itself, for its own [ENetConnection] or another protocol;
## [br]- decides itself when to use a relay.
## [br]Its price: it tries one path at a time, keeps that for the whole game, and reaches players in
## its own home, and many on mobile networks, by relay at best.
##
## It needs a noray server; the demo's host can run one. It runs in a window, or by its arguments:
## [codeblock lang=text]
## godot --headless --path godot-project res://examples/plain_flow/plain_flow.tscn -- --host
##
## --host                     host at once
## --join <oid>               join the host with this OpenID at once
## --relay                    with --join: by relay
## --noray <name[:port]>      the noray server (127.0.0.1)
## --registrar-port <port>    its registrar's UDP port (8809)
## --quit-when-met            quit with 0 when host and player have heard each other and the
##                            player has left; with 1 when something fails
## [/codeblock]

var _registrar_port: int = NorayAddress.DEFAULT_REGISTRAR_PORT
var _quits_when_met: bool = false
var _is_busy: bool = false
var _is_host: bool = false
## A joining player uses the first address that the server announces.
var _has_address: bool = false

@onready var _address_field: LineEdit = %AddressField
@onready var _host_button: Button = %HostButton
@onready var _oid_field: LineEdit = %OidField
@onready var _relay_check: CheckBox = %RelayCheck
@onready var _join_button: Button = %JoinButton
@onready var _log_view: LogView = %LogView


func _ready() -> void:
	_host_button.pressed.connect(_host)
	_join_button.pressed.connect(_join)
	_oid_field.text_changed.connect(_on_oid_changed)
	ReadableWindow.keep(get_window())
	Noray.on_connect_nat.connect(_on_connect)
	Noray.on_connect_relay.connect(_on_connect)
	Noray.connect_failed.connect(_on_connect_failed)
	Noray.on_disconnect_from_host.connect(_on_noray_lost)
	multiplayer.connected_to_server.connect(_on_joined)
	multiplayer.connection_failed.connect(_fail.bind("The host does not answer."))
	multiplayer.server_disconnected.connect(_on_host_left)
	multiplayer.peer_disconnected.connect(_on_player_left)
	_take_arguments(OS.get_cmdline_user_args())
	_refresh()


func _host() -> void:
	if not await _register():
		return
	var peer := ENetMultiplayerPeer.new()
	var err := peer.create_server(Noray.local_port)
	if err != OK:
		_fail("Cannot listen on port %d: %s." % [Noray.local_port, error_string(err)])
		return
	multiplayer.multiplayer_peer = peer
	_is_host = true
	# Without traffic, the router drops the mapping after about 30 s.
	Noray.keep_alive(peer.host)
	_oid_field.text = Noray.oid
	print("[plain_flow] oid ", Noray.oid)
	_say("The game is open. Others can join with the OpenID above.")


## Opens the path for a player that is about to connect.
func _welcome(address: String, port: int) -> void:
	_say("A player is coming from %s:%d." % [address, port])
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	var err: Error = await PacketHandshake.over_enet(peer.host, address, port)
	if err != OK:
		_say("No handshake with %s:%d: %s." % [address, port, error_string(err)])


func _join() -> void:
	if not await _register():
		return
	var err: Error
	if _relay_check.button_pressed:
		err = Noray.connect_relay(_oid_to_join())
	else:
		err = Noray.connect_nat(_oid_to_join())
	if err != OK:
		_fail(Noray.last_error_message)


## Shakes hands with the host at the announced address, then connects to it.
func _connect(address: String, port: int) -> void:
	_has_address = true
	_say("The host is at %s:%d." % [address, port])
	var udp := PacketPeerUDP.new()
	udp.bind(Noray.local_port)
	udp.set_dest_address(address, port)
	var err: Error = await PacketHandshake.over_packet_peer(udp)
	udp.close()
	# Busy: we heard the host, but it has not confirmed that it heard us. Worth a try.
	if err != OK and err != ERR_BUSY:
		_fail("No handshake with the host: %s. Try the relay." % error_string(err))
		return
	var peer := ENetMultiplayerPeer.new()
	err = peer.create_client(address, port, 0, 0, 0, Noray.local_port)
	if err != OK:
		_fail("Cannot connect: %s." % error_string(err))
		return
	multiplayer.multiplayer_peer = peer


## The server announced the other player. This happens on both sides.
func _on_connect(address: String, port: int) -> void:
	if _is_host:
		_welcome(address, port)
	elif not _has_address:
		_connect(address, port)


## Connects and registers, which host and joining player do alike.
func _register() -> bool:
	var noray := NorayAddress.parse(_address_field.text, _registrar_port)
	if noray == null:
		_fail("'%s' is not an address." % _address_field.text)
		return false
	_set_busy(true)
	_say("Registering at %s …" % noray)
	var err: Error = await Noray.connect_to_host(noray.host, noray.port)
	if err != OK:
		_fail(Noray.last_error_message)
		return false
	Noray.register_host()
	await Noray.on_pid
	err = await Noray.register_remote(noray.registrar_port)
	if err != OK:
		_fail(Noray.last_error_message)
		return false
	return true


func _oid_to_join() -> String:
	return _oid_field.text.strip_edges()


func _set_busy(is_busy: bool) -> void:
	_is_busy = is_busy
	_refresh()


func _refresh() -> void:
	_host_button.disabled = _is_busy
	_join_button.disabled = _is_busy or _oid_to_join().is_empty()
	_oid_field.editable = not _is_busy
	_address_field.editable = not _is_busy


func _on_oid_changed(_text: String) -> void:
	_refresh()


func _on_joined() -> void:
	_say("Joined.")
	_greet.rpc_id(MultiplayerPeer.TARGET_PEER_SERVER)


@rpc("any_peer", "call_remote", "reliable")
func _greet() -> void:
	var player := multiplayer.get_remote_sender_id()
	_say("Player %d says hello." % player)
	_greet_back.rpc_id(player)


@rpc("authority", "call_remote", "reliable")
func _greet_back() -> void:
	_say("The host says hello.")
	if _quits_when_met:
		_quit(0)


func _on_player_left(player: int) -> void:
	if multiplayer.is_server():
		_say("Player %d has left." % player)
		if _quits_when_met:
			_quit(0)


func _on_host_left() -> void:
	_fail("The host has left.")


func _on_noray_lost() -> void:
	_say("Lost the connection to the noray server.")


func _on_connect_failed(_oid: String, _error: Error, message: String) -> void:
	_fail(message)


func _fail(message: String) -> void:
	_say(message, true)
	_close()
	_set_busy(false)
	if _quits_when_met:
		_quit(1)


func _quit(exit_code: int) -> void:
	_close()
	get_tree().quit(exit_code)


func _close() -> void:
	_is_host = false
	_has_address = false
	if multiplayer.multiplayer_peer is ENetMultiplayerPeer:
		multiplayer.multiplayer_peer.close()
		multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	Noray.disconnect_from_host()


func _say(text: String, is_problem: bool = false) -> void:
	print("[plain_flow] ", text)
	_log_view.add_line(text, is_problem)


func _take_arguments(words: PackedStringArray) -> void:
	var begin := Callable()
	for index in words.size():
		var value := words[index + 1] if index + 1 < words.size() else ""
		match words[index]:
			"--host":
				begin = _host
			"--join":
				begin = _join
				_oid_field.text = value
			"--relay":
				_relay_check.button_pressed = true
			"--noray":
				_address_field.text = value
			"--registrar-port":
				_registrar_port = value.to_int()
			"--quit-when-met":
				_quits_when_met = true
	if begin.is_valid():
		begin.call_deferred()
