extends Node
## Runs the suites in [code]suites[/code], prints a line for each test, and at the end
## the sum. Quits with 1 when a test failed or none ran.
##
## [codeblock lang=text]
## godot --headless --path rust/godot-tests -- [FILTER]
## [/codeblock]
##
## With a filter only tests run whose [code]suite.test[/code] holds it.

const Suite := preload("res://suite.gd")

const SUITES := "res://suites"

var _filter: String = ""
var _passed: int = 0
var _failed: int = 0


func _ready() -> void:
	# As in a game; without a limit a headless Godot would take a whole processor.
	Engine.max_fps = 60
	var words := OS.get_cmdline_user_args()
	if not words.is_empty():
		_filter = words[0]

	var any_file := false
	for file in _suite_files():
		any_file = true
		await _run_suite(file)

	if _passed + _failed == 0:
		_say("no test has this in its name" if any_file else "there is no suite")
	_say("%d passed, %d failed" % [_passed, _failed])
	get_tree().quit(0 if _failed == 0 and _passed > 0 else 1)


func _suite_files() -> PackedStringArray:
	var files: PackedStringArray = []
	for file in DirAccess.get_files_at(SUITES):
		if file.begins_with("test_") and file.get_extension() == "gd":
			files.append(file)
	files.sort()
	return files


func _run_suite(file: String) -> void:
	var suite_name := file.get_basename().trim_prefix("test_")
	var script := load(SUITES.path_join(file)) as GDScript
	if script == null or not script.can_instantiate():
		_tell(suite_name, 0.0, ["it does not compile"])
		return
	var tests := _tests_of(script)
	if tests.is_empty():
		_tell(suite_name, 0.0, ["it has no test"])
	for test in tests:
		var test_name := suite_name + "." + test
		if not _filter.is_empty() and not test_name.contains(_filter):
			continue
		var instance: Object = script.new()
		var suite := instance as Suite
		if suite == null:
			_tell(suite_name, 0.0, ["it does not extend suite.gd"])
			if instance is Node:
				(instance as Node).free()
			return
		await _run_test(suite, test, test_name)


func _tests_of(script: GDScript) -> PackedStringArray:
	var tests: PackedStringArray = []
	for method: Dictionary in script.get_script_method_list():
		var method_name: String = method["name"]
		if method_name.begins_with("test_") and method_name not in tests:
			tests.append(method_name)
	return tests


func _run_test(suite: Suite, test: String, test_name: String) -> void:
	add_child(suite)
	var started := Time.get_ticks_msec()
	var progress: Array[String] = ["before_each"]
	_call_test(suite, test, progress)
	while progress[0] != "" and Time.get_ticks_msec() - started < suite.time_limit * 1000.0:
		await get_tree().process_frame

	var failures: PackedStringArray = suite._failures.duplicate()
	if progress[0] != "":
		failures.append("%s did not end within %d s" % [progress[0], int(suite.time_limit)])
	elif suite._checks == 0:
		failures.append("it checks nothing")
	_tell(test_name, (Time.get_ticks_msec() - started) / 1000.0, failures)

	suite.queue_free()
	# What a test changed for all must not reach the next one.
	get_tree().paused = false
	Engine.time_scale = 1.0
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	await get_tree().process_frame
	await get_tree().process_frame


## Calls the test and notes in [param progress] what runs now; nothing when all has ended.
func _call_test(suite: Suite, test: String, progress: Array[String]) -> void:
	@warning_ignore("redundant_await")
	await suite.before_each()
	progress[0] = test
	await suite.call(test)
	progress[0] = "after_each"
	@warning_ignore("redundant_await")
	await suite.after_each()
	progress[0] = ""


func _tell(test_name: String, seconds: float, failures: PackedStringArray) -> void:
	if failures.is_empty():
		_passed += 1
		_say("ok %s (%.1f s)" % [test_name, seconds])
		return
	_failed += 1
	_say("FAILED %s (%.1f s)" % [test_name, seconds])
	for failure in failures:
		for line in failure.split("\n"):
			_say("    " + line)


func _say(line: String) -> void:
	print("[test] ", line)
