extends "res://support/process_suite.gd"
## Games that were made with netfox.noray, whose autoloads hide the extension's classes.

const PROJECT := """config_version=5

[application]

config/name="A game with netfox"
run/main_scene="res://main.tscn"

[autoload]

%s
"""
const SCENE := """[gd_scene load_steps=2 format=3]

[ext_resource type="Script" path="res://main.gd" id="1"]

[node name="Main" type="Node"]
script = ExtResource("1")
"""
const SCRIPT := """extends Node


func _ready() -> void:
	await get_tree().process_frame
	await get_tree().process_frame
	get_tree().quit()
"""
const AUTOLOAD := "extends Node\n"
const PATHS: Dictionary = {
	"Noray": "addons/netfox.noray/noray.gd",
	"PacketHandshake": "addons/netfox.noray/packet-handshake.gd",
	"Other": "other.gd",
}


## Fails when a game that still has the old addon on is not told, or told twice.
func test_both() -> void:
	await _check_warning(["Noray", "PacketHandshake"], "autoload Noray and PacketHandshake hides")


## Fails when a game that has turned off half of it is not told which half is left.
func test_one() -> void:
	await _check_warning(["PacketHandshake", "Other"], "autoload PacketHandshake hides")


## Fails when a game is warned of its own autoloads.
func test_none() -> void:
	await _check_warning(["Other"], "")


func _check_warning(names: PackedStringArray, words: String) -> void:
	var files: Dictionary = {"main.tscn": SCENE, "main.gd": SCRIPT}
	var autoloads: PackedStringArray = []
	for autoload in names:
		var path: String = PATHS[autoload]
		files[path] = AUTOLOAD
		autoloads.append("%s=\"*res://%s\"" % [autoload, path])
	files["project.godot"] = PROJECT % "\n".join(autoloads)
	var child := start_godot(make_project("autoloads", files).path)
	var expected: PackedStringArray = []
	if not words.is_empty():
		expected.append(words)
	await check_good_end(child, expected)
	if words.is_empty():
		return
	for line in child.log_lines():
		if line.contains(words):
			for hint: String in ["netfox.noray plugin", "Project Settings > Plugins", "autoload"]:
				check(line.contains(hint), "it does not name '%s': %s" % [hint, line])
