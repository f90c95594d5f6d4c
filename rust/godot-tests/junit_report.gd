extends RefCounted
## Counts the results of tests, and writes them as JUnit XML.

var passed: int = 0
var failed: int = 0
var skipped: int = 0

var _cases: PackedStringArray = []


## The number of all tests.
func total() -> int:
	return passed + failed + skipped


func add_passed(suite_name: String, test: String, seconds: float) -> void:
	passed += 1
	_add(suite_name, test, seconds, "")


func add_failed(suite_name: String, test: String, seconds: float, message: String) -> void:
	failed += 1
	_add(suite_name, test, seconds, "<failure>%s</failure>" % _escaped(message))


func add_skipped(suite_name: String, test: String, reason: String) -> void:
	skipped += 1
	_add(suite_name, test, 0.0, '<skipped message="%s"/>' % _escaped(reason))


## Writes all results so far.
func write(path: String) -> Error:
	var file := FileAccess.open(path, FileAccess.WRITE)
	if file == null:
		return FileAccess.get_open_error()
	file.store_line('<?xml version="1.0" encoding="UTF-8"?>')
	file.store_line(
			'<testsuite name="godot" tests="%d" failures="%d" skipped="%d">'
			% [total(), failed, skipped]
	)
	for case in _cases:
		file.store_line(case)
	file.store_line("</testsuite>")
	return file.get_error()


func _add(suite_name: String, test: String, seconds: float, outcome: String) -> void:
	_cases.append(
			'<testcase classname="%s" name="%s" time="%.3f">%s</testcase>'
			% [_escaped(suite_name), _escaped(test), seconds, outcome]
	)


## XML has no form for most control characters: they become question marks.
func _escaped(text: String) -> String:
	var control_characters := RegEx.create_from_string("[\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F]")
	return control_characters.sub(text, "?", true).xml_escape(true)
