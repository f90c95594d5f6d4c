extends RefCounted
## A Godot process that a test starts, with its output. Kill it, or wait for its end, before you
## drop it.

## What stands in a line of a log only when something is wrong. The scan of this project's own log
## has the same list; a test compares them.
const SIGNS: PackedStringArray = [
	"SCRIPT ERROR",
	"SHADER ERROR",
	"ERROR:",
	"WARNING:",
	"panicked",
	"Leaked instance",
	"ObjectDB instances leaked",
	"resources still in use",
	"were leaked",
	"handle_crash",
	"Program crashed",
]
## The exit code of a killed process.
const KILLED := 137
## Bytes read at once.
const CHUNK := 4096

## The process id; 0 when it did not start.
var pid: int = 0
## -1 while it runs.
var exit_code: int = -1

var _readers: Array[Thread] = []
var _mutex: Mutex = Mutex.new()
var _output: PackedByteArray = []
var _errors: PackedByteArray = []


func _init(arguments: PackedStringArray) -> void:
	var all: PackedStringArray = ["--headless", "--verbose"]
	all.append_array(arguments)
	var pipes := OS.execute_with_pipe(executable(), all)
	if pipes.is_empty():
		return
	pid = pipes["pid"]
	_start_reader(pipes["stdio"] as FileAccess, _take_output)
	_start_reader(pipes["stderr"] as FileAccess, _take_error)


## Returns the path of the Godot that runs the tests. The environment names it, since the path of
## this process may be that of a loader.
static func executable() -> String:
	var named := OS.get_environment("GODOT4_BIN")
	return OS.get_executable_path() if named.is_empty() else named


func is_running() -> bool:
	return pid != 0 and exit_code == -1 and OS.is_process_running(pid)


## Waits for its end; kills it after [param seconds]. Returns whether it ended by itself.
func wait_for_end(seconds: float = 15.0) -> bool:
	var until := Time.get_ticks_msec() + int(seconds * 1000.0)
	while is_running() and Time.get_ticks_msec() < until:
		await (Engine.get_main_loop() as SceneTree).process_frame
	var ended := pid != 0 and not is_running()
	kill()
	return ended


## Waits for a line of its output that begins with [param beginning]. Returns the rest of the line,
## or an empty string if none comes.
func wait_for_line(beginning: String, seconds: float = 15.0) -> String:
	var until := Time.get_ticks_msec() + int(seconds * 1000.0)
	while true:
		var was_running := is_running()
		for line in output():
			if line.begins_with(beginning):
				return line.trim_prefix(beginning)
		if not was_running or Time.get_ticks_msec() >= until:
			break
		await (Engine.get_main_loop() as SceneTree).process_frame
	return ""


## Ends it if it runs, and reads the rest of its output.
func kill() -> void:
	if is_running():
		# Godot cannot tell its exit code afterwards.
		OS.kill(pid)
		exit_code = KILLED
	elif pid != 0 and exit_code == -1:
		exit_code = OS.get_process_exit_code(pid)
	for reader in _readers:
		reader.wait_to_finish()
	_readers.clear()


## Returns the lines of its standard output so far.
func output() -> PackedStringArray:
	return _lines(_output)


## Returns the lines of its standard error so far.
func errors() -> PackedStringArray:
	return _lines(_errors)


## Returns all lines so far.
func log_lines() -> PackedStringArray:
	return output() + errors()


## Returns the lines that tell of something wrong, less one for each of [param expected], whose
## absence is a problem as well.
func problems(expected: PackedStringArray = []) -> PackedStringArray:
	var left := expected.duplicate()
	var found: PackedStringArray = []
	for line in log_lines():
		if not _is_sign(line):
			continue
		var index := -1
		for each in left.size():
			if line.contains(left[each]):
				index = each
		if index >= 0:
			left.remove_at(index)
		else:
			found.append(line)
	for each in left:
		found.append("not in its log: " + each)
	return found


func _is_sign(line: String) -> bool:
	for each in SIGNS:
		if line.contains(each):
			return true
	return false


func _lines(bytes: PackedByteArray) -> PackedStringArray:
	_mutex.lock()
	var text := bytes.get_string_from_utf8()
	_mutex.unlock()
	return text.split("\n")


func _start_reader(pipe: FileAccess, take: Callable) -> void:
	var reader := Thread.new()
	reader.start(_read.bind(pipe, take))
	_readers.append(reader)


func _read(pipe: FileAccess, take: Callable) -> void:
	while true:
		var bytes := pipe.get_buffer(CHUNK)
		if bytes.is_empty():
			break
		_mutex.lock()
		take.call(bytes)
		_mutex.unlock()


func _take_output(bytes: PackedByteArray) -> void:
	_output.append_array(bytes)


func _take_error(bytes: PackedByteArray) -> void:
	_errors.append_array(bytes)
