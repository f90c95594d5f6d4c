extends "res://support/process_suite.gd"
## What reaches Godot's log, by the setting [code]noray/logging/level[/code].

const FakeNoray2 := preload("res://support/fake_noray_2.gd")

const PROJECT := """config_version=5

[application]

config/name="Noray's log"
run/main_scene="res://main.tscn"

[noray]

logging/level=%d
"""
const SCENE := """[gd_scene load_steps=2 format=3]

[ext_resource type="Script" path="res://main.gd" id="1"]

[node name="Main" type="Node"]
script = ExtResource("1")
"""
## Makes something happen at each level, a failure and a success. Prints the PrivateID backwards.
const SCRIPT := """extends Node

var server: NorayServer = NorayServer.new()


func _ready() -> void:
	Engine.max_fps = 60
	server.start(0, 0, "28100-28199", "127.0.0.1")
	await Noray.connect_to_host("127.0.0.1", server.port)
	Noray.register_host()
	await Noray.on_pid
	await Noray.register_remote(server.registrar_port)
	Noray.connect_nat(Noray.oid)
	Noray.connect_relay(Noray.oid)
	Noray.connect_nat("nobody")
	await Noray.connect_failed
	print("[child] ", Noray.pid.reverse())
	get_tree().quit()
"""
## Registers at a registrar that refuses.
const REFUSED_SCRIPT := """extends Node


func _ready() -> void:
	Engine.max_fps = 60
	var ports := OS.get_cmdline_user_args()
	await Noray.connect_to_host("127.0.0.1", ports[0].to_int())
	Noray.register_host()
	await Noray.on_pid
	await Noray.register_remote(ports[1].to_int())
	print("[child] message ", Noray.last_error_message)
	get_tree().quit()
"""

## By level, what that level is the first to show.
const FIRST_SEEN: Dictionary = {
	2: "Noray: no direct connection to 'nobody'",
	3: "Noray: connected server=127.0.0.1:",
	4: "Noray: connecting host=",
}


## Fails when a level shows more or less than documented: 0 nothing, 2 warnings, 3 what happens,
## 4 what helps to find a mistake.
func test_levels() -> void:
	for level: int in 6:
		await _check_level(level)


## Fails when a value that no editor writes breaks the log.
func test_a_wrong_level_is_the_default() -> void:
	for nonsense: int in [-1, 6]:
		var child := await _run(nonsense)
		await check_good_end(child, [FIRST_SEEN[2]])


## Fails when the PrivateID, a password, is in the log at any level.
func test_no_private_id_at_any_level() -> void:
	var child := await _run(5)
	await check_good_end(child, [FIRST_SEEN[2]])
	_check_no_secret(child, (await child.wait_for_line("[child] ")).reverse())


## Fails when it is there because the registrar repeats it, as generation 2 does.
func test_no_private_id_of_a_registrar_that_repeats_it() -> void:
	var server := FakeNoray2.new()
	server.registrar.answer = func(pid: String) -> String: return "Error: Unknown host pid: " + pid
	var child := await _run(5, REFUSED_SCRIPT, [str(server.port), str(server.registrar.port)])
	await check_good_end(child, ["the registrar refused this player"])
	check("[child] message the registrar refused this player" in child.output(), "no message")
	_check_no_secret(child, "private-oid1")


func _check_level(level: int) -> void:
	var child := await _run(level)
	var expected: PackedStringArray = []
	if level >= 2:
		expected.append(FIRST_SEEN[2] as String)
	if not await check_good_end(child, expected):
		return
	for seen_at: int in FIRST_SEEN:
		var words: String = FIRST_SEEN[seen_at]
		check_equal(_has(child, words), level >= seen_at, "level %d: %s" % [level, words])
	if level < 2:
		check(not _has(child, "Noray: "), "level %d shows something" % level)


func _run(
		level: int, script: String = SCRIPT, arguments: PackedStringArray = []
) -> Child:
	var project := make_project(
			"log", {"project.godot": PROJECT % level, "main.tscn": SCENE, "main.gd": script}
	)
	var all: PackedStringArray = ["--"]
	all.append_array(arguments)
	var child := start_godot(project.path, all)
	await child.wait_for_end(LIMIT)
	return child


func _check_no_secret(child: Child, secret: String) -> void:
	if not check(secret.length() > 8, "the child told no PrivateID"):
		return
	check(_has(child, "Noray: "), "nothing was traced")
	for line in child.log_lines():
		# Neither whole nor in part.
		for part: String in [secret.left(12), secret.right(12)]:
			check(not line.contains(part), "it stands in the log: " + line)


func _has(child: Child, words: String) -> bool:
	for line in child.log_lines():
		if line.contains(words):
			return true
	return false
