extends "res://support/process_suite.gd"
## The examples of the documents and of the classes' help, as they stand there.

const EXAMPLES := "```gdscript\n"
const EXAMPLE_END := "\n```"

const DOCUMENTS: PackedStringArray = ["README.md", "addons/noray/README.md", "docs/SERVER.md"]
const HELP: PackedStringArray = [
	"rust/godot/noray.rs", "rust/godot/noray_connection.rs", "rust/godot/noray_server.rs",
	"rust/godot/packet_handshake.rs",
]

## Ends the process when a file is there.
const WATCH := """extends Node


func _process(_delta: float) -> void:
	if FileAccess.file_exists("res://quit"):
		get_tree().quit()
"""
const PROJECT := """config_version=5

[application]

config/name="Noray in the README %d"
run/main_scene="res://main.tscn"
"""
const SCENE := """[gd_scene load_steps=3 format=3]

[ext_resource type="Script" path="res://game.gd" id="1"]
[ext_resource type="Script" path="res://watch.gd" id="2"]

[node name="Game" type="Node"]
script = ExtResource("1")

[node name="Watch" type="Node" parent="."]
script = ExtResource("2")
"""

## Plays the second example, which a game calls.
const CALLS := """extends Node


func _ready() -> void:
	var words := OS.get_cmdline_user_args()
	if words[0] == "host":
		host()
	else:
		join(words[1])
	multiplayer.peer_disconnected.connect(func(_id: int) -> void: print("They left."))


func _process(_delta: float) -> void:
	if FileAccess.file_exists("res://leave-" + OS.get_cmdline_user_args()[0]):
		set_process(false)
		leave()
		print("I left.")


"""

## Says whether a script can be read.
const PARSE := """extends SceneTree


func _initialize() -> void:
	for file in DirAccess.get_files_at("res://examples"):
		var script := load("res://examples/" + file) as GDScript
		print("[child] ", file, " ", script != null and script.can_instantiate())
	quit()
"""


func _init() -> void:
	time_limit = 60.0


## Fails when a newcomer who copies the first example cannot play with it.
func test_the_first_example_plays_on_one_computer() -> void:
	var ports := _free_ports()
	var game := _replaced(_examples("README.md")[0], {
		"_server.start()": "_server.start(%d, %d, '%s')" % [ports[0], ports[1], RELAY_PORTS],
		"Noray.host(\"127.0.0.1\")": "Noray.host(\"127.0.0.1:%d\", 32, {'registrar_port': %d})" % ports,
		"Noray.join(oid, \"127.0.0.1\")":
				"Noray.join(oid, \"127.0.0.1:%d\", {'registrar_port': %d})" % ports,
	})
	var project := make_project("readme", _files(game))
	var host := start_godot(project.path)
	var oid := await host.wait_for_line("I host. Others join with the OpenID ")
	check(not oid.is_empty(), "it does not host:\n" + "\n".join(host.log_lines()))
	var player := start_godot(project.path)
	var came := await wait_until(
			func() -> bool: return "\n".join(host.output()).contains(" says: Hello, host!"), LIMIT
	)
	check(came, "the first RPC does not arrive:\n" + "\n".join(player.log_lines()))
	project.write("quit", "")
	await check_good_end(host)
	# The example tries to start a second server.
	await check_good_end(player, ["no server"])


## Fails when the second example does not host, join, and leave.
func test_the_second_example_plays_on_a_server() -> void:
	var server := start_server()
	var ports := [server.port, server.registrar_port]
	var game := CALLS + _replaced(_examples("README.md")[1], {
		"Noray.host(\"noray.example.com\")":
				"Noray.host(\"127.0.0.1:%d\", 32, {'registrar_port': %d})" % ports,
		"Noray.join(oid, \"noray.example.com\")":
				"Noray.join(oid, \"127.0.0.1:%d\", {'registrar_port': %d})" % ports,
	})
	var project := make_project("readme", _files(game))
	var host := start_godot(project.path, ["--", "host"])
	var oid := await host.wait_for_line("Join me: ")
	var player := start_godot(project.path, ["--", "join", oid])
	await player.wait_for_line("I am in.")
	check("I am in." in player.output(), "it is not in:\n" + "\n".join(player.log_lines()))

	project.write("leave-join", "")
	await player.wait_for_line("I left.")
	await host.wait_for_line("They left.", 3.0)
	check("They left." in host.output(), "the host is not told that the player has left")
	project.write("leave-host", "")
	await host.wait_for_line("I left.")
	check("I left." in host.output(), "the host does not leave")
	project.write("quit", "")
	await check_good_end(player)
	await check_good_end(host)


## Fails when an example of a document cannot be copied into a script.
func test_every_example_parses() -> void:
	var files := {"project.godot": PROJECT % OS.get_process_id(), "parse.gd": PARSE}
	for document in DOCUMENTS:
		var number := 0
		for example in _examples(document):
			number += 1
			var file := "%s-%d.gd" % [document.replace("/", "-").get_basename(), number]
			files["examples/" + file] = _as_script(example)
	for source in HELP:
		var number := 0
		for example in _examples_of_help(source):
			number += 1
			files["examples/%s-%d.gd" % [source.get_file().get_basename(), number]] = (
					_as_script(example)
			)
	var project := make_project("readme", files)
	var parser := start_godot(project.path, ["--script", "res://parse.gd"])
	await check_good_end(parser)
	for file: String in files:
		if file.begins_with("examples/"):
			var said := await parser.wait_for_line("[child] %s " % file.get_file())
			check_equal(said, "true", file.get_file())
	check(files.size() > DOCUMENTS.size() + HELP.size() + 2, "examples are missing")


func _files(game: String) -> Dictionary:
	return {
		"project.godot": PROJECT % OS.get_process_id(),
		"main.tscn": SCENE,
		"game.gd": game,
		"watch.gd": WATCH,
	}


## Returns the GDScript blocks of a document.
func _examples(document: String) -> PackedStringArray:
	return _blocks(_text(document))


## Returns the GDScript blocks in the doc comments of a Rust file.
func _examples_of_help(source: String) -> PackedStringArray:
	var lines: PackedStringArray = []
	for line in _text(source).split("\n"):
		var stripped := line.strip_edges()
		# The help shows four blanks for a tab.
		lines.append(
				stripped.trim_prefix("///").trim_prefix(" ").replace("    ", "\t")
				if stripped.begins_with("///") else line
		)
	return _blocks("\n".join(lines))


func _text(file: String) -> String:
	var path := ProjectSettings.globalize_path("res://").path_join("../../" + file)
	var text := FileAccess.get_file_as_string(path.simplify_path())
	check(not text.is_empty(), file + " is not there")
	return text


func _blocks(text: String) -> PackedStringArray:
	var found: PackedStringArray = []
	var parts := text.split(EXAMPLES)
	for index in range(1, parts.size()):
		found.append(parts[index].get_slice(EXAMPLE_END, 0) + "\n")
	return found


## Replaces the addresses of an example by those of the test.
func _replaced(example: String, replacements: Dictionary) -> String:
	var text := example
	for what: String in replacements:
		check(text.contains(what), "the example does not say " + what)
		text = text.replace(what, replacements[what] as String)
	return text


## Makes a script of an example: it may be one, or methods, or statements.
func _as_script(example: String) -> String:
	if example.begins_with("extends "):
		return example
	if example.begins_with("func ") or example.contains("\nfunc "):
		return "extends Node\n\n" + example
	return "extends Node\n\nfunc _ready() -> void:\n" + example.indent("\t")


## Returns a port for commands and one for the registrar, beside those that the system gives to
## others.
func _free_ports() -> Array:
	var tcp := TCPServer.new()
	var udp := PacketPeerUDP.new()
	var ports: Array[int] = [0, 0]
	while not tcp.is_listening():
		ports[0] = randi_range(26000, 27999)
		tcp.listen(ports[0])
	while not udp.is_bound():
		ports[1] = randi_range(26000, 27999)
		udp.bind(ports[1])
	tcp.stop()
	udp.close()
	return ports
