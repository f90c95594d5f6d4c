extends Node
## Runs the suites in [code]suites[/code]: prints a line for each test and the sum at the end.
## Quits with 1 when a test failed or none ran.
##
## [codeblock lang=text]
## godot --headless --path rust/godot-tests -- [--junit=FILE] [FILTER]
## [/codeblock]
##
## With a filter, only tests whose [code]suite.test[/code] contains it run. [code]--junit[/code]
## writes the results to a file that CI systems read.

const JunitReport := preload("res://junit_report.gd")
const Suite := preload("res://suite.gd")

const SUITES := "res://suites"
const JUNIT_OPTION := "--junit="

var _filter: String = ""
var _junit_file: String = ""
var _report: JunitReport = JunitReport.new()


func _ready() -> void:
	# As in a game; without a limit, a headless Godot would use a whole processor core.
	Engine.max_fps = 60
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with(JUNIT_OPTION):
			_junit_file = argument.trim_prefix(JUNIT_OPTION)
		else:
			_filter = argument

	var files := _suite_files()
	for file in files:
		await _run_suite(file)

	if _report.total() == 0:
		_say("there is no suite" if files.is_empty() else "no test has this in its name")
	_say("%d passed, %d failed, %d skipped" % [_report.passed, _report.failed, _report.skipped])
	var is_written := _junit_file.is_empty() or _report.write(_junit_file) == OK
	if not is_written:
		_say("cannot write " + _junit_file)
	var is_good := is_written and _report.failed == 0 and _report.total() > 0
	get_tree().quit(0 if is_good else 1)


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
		_tell_failed(suite_name, "", 0.0, ["it does not compile"])
		return
	var tests := _tests_of(script)
	if tests.is_empty():
		_tell_failed(suite_name, "", 0.0, ["it has no test"])
	for test in tests:
		if not _filter.is_empty() and not (suite_name + "." + test).contains(_filter):
			continue
		var instance: Object = script.new()
		var suite := instance as Suite
		if suite == null:
			_tell_failed(suite_name, "", 0.0, ["it does not extend suite.gd"])
			if instance is Node:
				(instance as Node).free()
			return
		await _run_test(suite, suite_name, test)


func _tests_of(script: GDScript) -> PackedStringArray:
	var tests: PackedStringArray = []
	for method: Dictionary in script.get_script_method_list():
		var method_name: String = method["name"]
		if method_name.begins_with("test_") and method_name not in tests:
			tests.append(method_name)
	return tests


func _run_test(suite: Suite, suite_name: String, test: String) -> void:
	add_child(suite)
	var started := Time.get_ticks_msec()
	var progress: Array[String] = ["before_each"]
	_call_test(suite, test, progress)
	while progress[0] != "" and Time.get_ticks_msec() - started < suite.time_limit * 1000.0:
		await get_tree().process_frame

	var seconds := (Time.get_ticks_msec() - started) / 1000.0
	var failures: PackedStringArray = suite._failures.duplicate()
	if progress[0] != "":
		failures.append("%s did not end within %d s" % [progress[0], int(suite.time_limit)])
	elif suite._checks == 0 and suite._skip_reason.is_empty():
		failures.append("it checks nothing")
	if not failures.is_empty():
		_tell_failed(suite_name, test, seconds, failures)
	elif not suite._skip_reason.is_empty():
		_tell_skipped(suite_name, test, suite._skip_reason)
	else:
		_tell_passed(suite_name, test, seconds)

	suite.queue_free()
	# What a test changed for all must not reach the next one.
	get_tree().paused = false
	Engine.time_scale = 1.0
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	await get_tree().process_frame
	await get_tree().process_frame


## Calls the test, and keeps in [param progress] what is running: nothing once all has ended.
func _call_test(suite: Suite, test: String, progress: Array[String]) -> void:
	@warning_ignore("redundant_await")
	await suite.before_each()
	progress[0] = test
	await suite.call(test)
	progress[0] = "after_each"
	@warning_ignore("redundant_await")
	await suite.after_each()
	progress[0] = ""


func _tell_passed(suite_name: String, test: String, seconds: float) -> void:
	_report.add_passed(suite_name, test, seconds)
	_say("ok %s.%s (%.1f s)" % [suite_name, test, seconds])


func _tell_skipped(suite_name: String, test: String, reason: String) -> void:
	_report.add_skipped(suite_name, test, reason)
	_say("SKIPPED %s.%s: %s" % [suite_name, test, reason])


## [param test] is empty when the whole suite is at fault.
func _tell_failed(
		suite_name: String, test: String, seconds: float, failures: PackedStringArray
) -> void:
	_report.add_failed(suite_name, test, seconds, "\n".join(failures))
	var test_name := suite_name if test.is_empty() else suite_name + "." + test
	_say("FAILED %s (%.1f s)" % [test_name, seconds])
	for failure in failures:
		for line in failure.split("\n"):
			_say("    " + line)


func _say(line: String) -> void:
	print("[test] ", line)
