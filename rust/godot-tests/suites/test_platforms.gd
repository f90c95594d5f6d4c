extends "res://support/process_suite.gd"
## Platforms without a library of ours, such as a browser.

const GUARD := "Engine.has_singleton"

const PROJECT := """config_version=5

[application]

config/name="Noray on any platform"
"""
const MAIN := """extends SceneTree


func _initialize() -> void:
	var script: GDScript = load("res://game.gd")
	if not script.can_instantiate():
		print("[child] it does not parse")
	else:
		var game: Node = script.new()
		var peer: Variant = await game.call("host")
		print("[child] ", "no peer" if peer == null else "a peer")
		game.free()
	quit()
"""


## Fails when a script with the README's guard cannot be read without our library.
func test_a_guarded_script_runs_where_there_is_no_library() -> void:
	await _check_game(_example(), false, "no peer")


func test_a_guarded_script_hosts_where_there_is_a_library() -> void:
	var server := start_server()
	var address := "\"127.0.0.1:%d\", 32, {'registrar_port': %d}"
	var game := _example().replace(
			"\"noray.example.com\"", address % [server.port, server.registrar_port]
	)
	await _check_game(game, true, "a peer")


## Shows what the guard is for.
func test_a_script_that_names_noray_cannot_be_read_without_a_library() -> void:
	var game := "extends Node\n\n\nfunc host() -> Variant:\n\treturn await Noray.host()\n"
	await _check_game(game, false, "it does not parse", [
		"Identifier \"Noray\" not declared",
		"Failed to load script",
	])


func _check_game(
		game: String, with_addon: bool, wanted: String, expected: PackedStringArray = []
) -> void:
	var files := {"project.godot": PROJECT, "main.gd": MAIN, "game.gd": game}
	var project := make_project("platforms", files, with_addon)
	var child := start_godot(project.path, ["-s", "res://main.gd"])
	var said := await child.wait_for_line("[child] ", 20.0)
	check_equal(said, wanted, "\n".join(child.log_lines()))
	await check_good_end(child, expected)


func _example() -> String:
	var path := ProjectSettings.globalize_path("res://").path_join("../../README.md")
	for example in FileAccess.get_file_as_string(path.simplify_path()).split("```gdscript\n"):
		if example.contains(GUARD):
			return "extends Node\n\n\n" + example.get_slice("\n```", 0) + "\n"
	fail("the README has no guard")
	return ""
