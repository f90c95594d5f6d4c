extends "res://support/process_suite.gd"
## Godot's editor with the extension: it opens nothing, and survives a hot reload.

const FakeNoray1 := preload("res://support/fake_noray_1.gd")
const ProcessProbe := preload("res://support/process_probe.gd")

const PROJECT := """config_version=5

[application]

config/name="Noray in the editor"

[editor_plugins]

enabled=PackedStringArray("res://addons/probe/plugin.cfg")
"""
const PLUGIN := """[plugin]

name="Probe"
description=""
author=""
version="1"
script="probe.gd"
"""

## Waits for a file, then does what the test puts in place of [code]%s[/code].
const PROBE := """@tool
extends EditorPlugin

const EXTENSION := "res://addons/noray/noray.gdextension"

var _frames: int = 0
var _step: int = 0


func _process(_delta: float) -> void:
	_frames += 1
	# After the editor's first scan.
	if _frames == 30:
		print("[child] ready")
	if _frames > 30 and FileAccess.file_exists("res://step-%%d" %% (_step + 1)):
		_step += 1
		call("_step_%%d" %% _step)
		print("[child] step ", _step)


func _noray() -> Object:
	# A reload makes a new singleton, which GDScript's own 'Noray' does not follow.
	return Engine.get_singleton("Noray")


func _reload() -> void:
	print("[child] reloaded ", GDExtensionManager.reload_extension(EXTENSION))

%s
"""

const IDLE := """
func _step_1() -> void:
	_reload()


func _step_2() -> void:
	print("[child] connected ", _noray().call("is_connected_to_host"))
	print("[child] server ", NorayServer.new().start(0, 0, "28100", "127.0.0.1"))


func _step_3() -> void:
	get_tree().quit()
"""

const IN_AN_AWAIT := """
var _udp: PacketPeerUDP = PacketPeerUDP.new()


func _step_1() -> void:
	_register()
	_shake_hands()


func _step_2() -> void:
	_reload()


func _step_3() -> void:
	print("[child] again ", await (_noray().call("connect_to_host", "127.0.0.1", %d) as Signal))


func _step_4() -> void:
	get_tree().quit()


func _register() -> void:
	await Noray.connect_to_host("127.0.0.1", %d)
	Noray.on_command.connect(func(_command: String, _data: String) -> void: print(self))
	Noray.register_host()
	await Noray.on_pid
	print("[child] waits")
	print("[child] register_remote ", await Noray.register_remote(%d, 1000.0))


func _shake_hands() -> void:
	_udp.bind(0)
	_udp.set_dest_address("127.0.0.1", 9)
	print("[child] handshake ", await PacketHandshake.over_packet_peer(_udp, 1000.0))
"""

const HOSTING := """
var _peer: ENetMultiplayerPeer


func _step_1() -> void:
	_host(%d, %d)


func _step_2() -> void:
	_reload()


func _step_3() -> void:
	print("[child] open ", _peer.get_connection_status())
	_peer = null
	get_tree().quit()


func _host(port: int, registrar_port: int) -> void:
	_peer = await Noray.host("127.0.0.1:%%d" %% port, 8, {"registrar_port": registrar_port})
	Noray.join_progressed.connect(
			func(_stage: Noray.JoinStage, _message: String) -> void: print(self)
	)
	print("[child] hosts ", _peer.get_connection_status())
"""

## Opens the help pages and prints them, one a line.
const HELP := """
const CLASSES: PackedStringArray = [
	"Noray", "NorayConnection", "NorayServer", "PacketHandshake",
]


func _step_1() -> void:
	for type in CLASSES:
		EditorInterface.get_script_editor().goto_help("class_name:" + type)


func _step_2() -> void:
	var editor := EditorInterface.get_script_editor()
	for page: Node in editor.find_children("*", "EditorHelp", true, false):
		var text := page.find_children("*", "RichTextLabel", true, false)[0] as RichTextLabel
		print("[child] help of %s " % page.name, text.get_parsed_text().c_escape())


func _step_3() -> void:
	get_tree().quit()
"""


func _init() -> void:
	# An editor's first start creates its theme.
	time_limit = 60.0


## Fails when the addon opens sockets or starts threads in an editor.
func test_opens_nothing() -> void:
	if not _can_look():
		return
	var project := make_project(
			"editor", _files(PROBE % "\nfunc _step_1() -> void:\n\tget_tree().quit()\n")
	)
	var editor := await _start(project)
	check(_loaded(editor), "the extension was not loaded")
	await wait_seconds(0.5)
	check_equal(ProcessProbe.our_threads(editor.pid), PackedStringArray(), "our threads")
	check_equal(ProcessProbe.our_sockets(editor.pid), PackedStringArray(), "our sockets")
	await _take_step(editor, project, 1)
	await check_good_end(editor)


## Fails when a developer who rebuilds the extension must restart the editor.
func test_reload_when_idle() -> void:
	var project := make_project("editor", _files(PROBE % IDLE))
	var editor := await _start(project)
	for step: int in [1, 2, 3]:
		await _take_step(editor, project, step)
	await check_good_end(editor)
	for words: String in ["reloaded 0", "connected false", "server 0"]:
		check(("[child] " + words) in editor.output(), "it did not say: " + words)


## Fails when a reload in the middle of an await crashes, hangs, leaks, or leaves a thread that runs
## unloaded code.
func test_reload_in_an_await() -> void:
	var server := FakeNoray1.new()
	server.registrar.answer = Callable()
	var script := IN_AN_AWAIT % [server.port, server.port, server.registrar.port]
	var project := make_project("editor", _files(PROBE % script))
	var editor := await _start(project)
	await _take_step(editor, project, 1)
	check_equal(await editor.wait_for_line("[child] waits"), "", "awaiting")
	await wait_until(func() -> bool: return server.registrar.datagrams.size() > 2, 5.0)
	check(not server.registrar.datagrams.is_empty(), "it does not register")
	if _can_look():
		check(not ProcessProbe.our_threads(editor.pid).is_empty(), "no thread before")
		# Of the runtime, the connection, the registration and the handshake.
		check(ProcessProbe.our_sockets(editor.pid).size() >= 4, "no sockets before")

	await _take_step(editor, project, 2)
	check(
			await wait_until(func() -> bool: return not server.connection().is_open(), 5.0),
			"the connection is open after the reload"
	)
	if _can_look():
		check_equal(ProcessProbe.our_threads(editor.pid), PackedStringArray(), "our threads")
		# The handshake's socket belongs to the plugin.
		check_equal(ProcessProbe.our_sockets(editor.pid).size(), 1, "sockets after the reload")
	var count := server.registrar.datagrams.size()
	await wait_seconds(0.5)
	check_equal(server.registrar.datagrams.size(), count, "datagrams after the reload")

	await _take_step(editor, project, 3)
	check_equal(await editor.wait_for_line("[child] again "), "0", "connecting again")
	await _take_step(editor, project, 4)
	await check_good_end(editor)
	for words: String in [
		"reloaded 0",
		"register_remote %d" % ERR_CONNECTION_ERROR,
		"handshake %d" % ERR_CONNECTION_ERROR,
	]:
		check(("[child] " + words) in editor.output(), "it did not say: " + words)


## Fails when a reload while a game is hosted leaves a socket or a thread, or calls unloaded code.
func test_reload_while_hosting() -> void:
	var server := FakeNoray1.new()
	var project := make_project(
			"editor", _files(PROBE % (HOSTING % [server.port, server.registrar.port]))
	)
	var editor := await _start(project)
	await _take_step(editor, project, 1)
	check_equal(await editor.wait_for_line("[child] hosts "), "2", "hosting")
	await _take_step(editor, project, 2)
	await wait_seconds(0.5)
	if _can_look():
		check_equal(ProcessProbe.our_threads(editor.pid), PackedStringArray(), "our threads")
		check_equal(ProcessProbe.our_sockets(editor.pid), PackedStringArray(), "our sockets")
	await _take_step(editor, project, 3)
	await check_good_end(editor)
	for words: String in ["reloaded 0", "open 0"]:
		check(("[child] " + words) in editor.output(), "it did not say: " + words)


## Fails when the editor's help has no text for a class, a method, a signal, a property or a
## setting.
func test_help() -> void:
	var project := make_project("editor", _files(PROBE % HELP))
	var editor := await _start(project)
	for step: int in [1, 2, 3]:
		await _take_step(editor, project, step)
		await wait_seconds(0.5)
	await check_good_end(editor)
	for type: String in ["Noray", "NorayConnection", "NorayServer", "PacketHandshake"]:
		var help := await editor.wait_for_line("[child] help of %s " % type)
		check(help.length() > 500, "the page of %s is '%s'" % [type, help])
		check(not help.to_lower().contains("no description"), type + " has a gap: " + help)
		for member in _members(type):
			check(help.contains(member), "%s.%s is not on its page" % [type, member])
		if type == "Noray":
			for setting: String in [
				CONNECT_TIMEOUT, ANSWER_TIMEOUT, SERVER, LAN, "noray/logging/level",
			]:
				check(help.contains(setting), setting + " is not explained")


func _members(type: String) -> PackedStringArray:
	var members: PackedStringArray = []
	var lists: Array = [
		ClassDB.class_get_method_list(type, true),
		ClassDB.class_get_signal_list(type, true),
		ClassDB.class_get_property_list(type, true),
	]
	for list: Array in lists:
		for member: Dictionary in list:
			var member_name: String = member["name"]
			var is_getter := ClassDB.class_get_property_list(type, true).any(
					func(property: Dictionary) -> bool:
						return member_name == "get_" + (property["name"] as String)
			)
			if not member_name.begins_with("_") and not is_getter:
				members.append(member_name)
	for constant in ClassDB.class_get_integer_constant_list(type, true):
		members.append(constant)
	return members


func _files(probe: String) -> Dictionary:
	return {
		"project.godot": PROJECT,
		"addons/probe/plugin.cfg": PLUGIN,
		"addons/probe/probe.gd": probe,
	}


func _start(project: TempProject) -> Child:
	var editor := start_godot(project.path, ["--editor"])
	await editor.wait_for_line("[child] ready", 40.0)
	check("[child] ready" in editor.output(), "the editor did not come up")
	return editor


func _take_step(editor: Child, project: TempProject, step: int) -> void:
	project.write("step-%d" % step, "")
	var said := "[child] step %d" % step
	check(
			await wait_until(
					func() -> bool: return said in editor.output() or not editor.is_running(), 10.0
			),
			"it did not take step %d" % step
	)
	check(said in editor.output(), "it did not take step %d" % step)


func _loaded(editor: Child) -> bool:
	for line in editor.output():
		if line.contains("Initialize godot-rust"):
			return true
	return false


func _can_look() -> bool:
	if ProcessProbe.can_look():
		return true
	skip("only Linux tells a process's threads and sockets")
	return false
