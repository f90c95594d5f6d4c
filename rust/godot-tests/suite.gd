extends Node
## Base of every suite of tests: a file [code]suites/test_*.gd[/code] whose methods
## [code]test_*[/code] are the tests. A test may await.
##
## Each test gets a suite of its own, added to the tree and freed afterwards. It fails when a
## check fails, when it checks nothing, when it does not end in time, and when the log has an
## error or a warning that [method expect_in_log] did not announce. What cannot be checked on this
## machine is skipped with [method skip].

## How long each test of this suite may take, in seconds, [method before_each] and
## [method after_each] included.
var time_limit: float = 20.0

var _failures: PackedStringArray = []
var _checks: int = 0
## Empty unless the test is skipped.
var _skip_reason: String = ""


## Prepares a test. May await.
func before_each() -> void:
	pass


## Cleans up after a test, also after one that failed. May await.
func after_each() -> void:
	pass


## Notes a failure unless [param condition] holds. Returns [param condition].
func check(condition: bool, message: String) -> bool:
	_checks += 1
	if not condition:
		_note(message)
	return condition


## Notes a failure unless [param got] has the value and the type of [param wanted]. Returns whether
## it does.
func check_equal(got: Variant, wanted: Variant, message: String = "") -> bool:
	_checks += 1
	if typeof(got) == typeof(wanted) and got == wanted:
		return true
	var text := "got %s instead of %s" % [_shown(got), _shown(wanted)]
	_note(text if message.is_empty() else message + ": " + text)
	return false


## Notes a failure unless [param got] is [param wanted], and names both. Returns whether it is.
func check_error(got: Error, wanted: Error, message: String = "") -> bool:
	_checks += 1
	if got == wanted:
		return true
	var text := "got '%s' instead of '%s'" % [error_string(got), error_string(wanted)]
	_note(text if message.is_empty() else message + ": " + text)
	return false


## Notes a failure.
func fail(message: String) -> void:
	_checks += 1
	_note(message)


## Says why this machine cannot run the test, or a part of it: it counts as skipped unless a check
## fails. The caller returns, or leaves that part out.
func skip(reason: String) -> void:
	_skip_reason = reason


## Announces one error or warning in the log whose line contains [param text]: it is then no
## failure, and its absence is one. Announce each line as often as it comes.
func expect_in_log(text: String) -> void:
	print("[expect] ", text)


## Waits for [param count] frames.
func wait_frames(count: int) -> void:
	for frame in count:
		await get_tree().process_frame


## Waits for real seconds, also in a paused or slowed game.
func wait_seconds(seconds: float) -> void:
	await get_tree().create_timer(seconds, true, false, true).timeout


## Waits until [param condition], which returns a bool, holds, at most for [param seconds]. Looks
## once a frame. Returns whether it holds.
func wait_until(condition: Callable, seconds: float) -> bool:
	var until := Time.get_ticks_msec() + int(seconds * 1000.0)
	while not condition.call():
		if Time.get_ticks_msec() >= until:
			return false
		await get_tree().process_frame
	return true


## Waits for a signal at most for [param seconds]. Returns its arguments (up to five), or
## [code]null[/code] when it does not come.
func wait_signal(awaited: Signal, seconds: float) -> Variant:
	var emissions := record(awaited)
	var came: bool = await wait_until(func() -> bool: return not emissions.is_empty(), seconds)
	if came:
		return emissions[0]
	return null


## Returns an array to which each emission from now on adds its arguments (an array of up to five),
## for as long as this suite lives.
func record(recorded: Signal) -> Array[Array]:
	var emissions: Array[Array] = []
	var count := _argument_count(recorded)
	recorded.connect(
			func(
					a: Variant = null,
					b: Variant = null,
					c: Variant = null,
					d: Variant = null,
					e: Variant = null,
			) -> void:
				if is_instance_valid(self):
					emissions.append([a, b, c, d, e].slice(0, count))
	)
	return emissions


func _argument_count(counted: Signal) -> int:
	for description: Dictionary in counted.get_object().get_signal_list():
		if description["name"] == counted.get_name():
			return (description["args"] as Array).size()
	return 0


## Shows the type as well; of an object, only its name.
func _shown(value: Variant) -> String:
	return str(value) if value is Object else var_to_str(value)


func _note(message: String) -> void:
	_failures.append(_place() + message)


## Returns the file and line of the check, if Godot tells them.
func _place() -> String:
	for frame: Dictionary in get_stack():
		if frame["source"] != "res://suite.gd":
			return "%s:%d: " % [(frame["source"] as String).get_file(), frame["line"]]
	return ""
