extends "res://support/noray_suite.gd"
## Base of the suites that start processes and make projects: ends and deletes them after each test.

const Child := preload("res://support/child.gd")
const TempProject := preload("res://support/temp_project.gd")

const CHILD_SCENE := "res://children/child.tscn"

## In seconds, from the start of a process to its end; most take about one.
const LIMIT := 15.0

var _children: Array[Child] = []
var _projects: Array[TempProject] = []


func after_each() -> void:
	for child in _children:
		child.kill()
	for project in _projects:
		project.delete()
	super()


## Runs the script [code]children/NAME.gd[/code] of this project.
func start_child(script: String, arguments: PackedStringArray = []) -> Child:
	var all: PackedStringArray = [CHILD_SCENE, "--", script]
	all.append_array(arguments)
	return start_godot(ProjectSettings.globalize_path("res://"), all)


## Runs a project with these arguments.
func start_godot(project: String, arguments: PackedStringArray = []) -> Child:
	var all: PackedStringArray = ["--path", project]
	all.append_array(arguments)
	var child := Child.new(all)
	check(child.pid != 0, "Godot did not start: " + Child.executable())
	_children.append(child)
	return child


## Makes a project with these files and a copy of the addon.
func make_project(
		project_name: String, files: Dictionary, with_addon: bool = true
) -> TempProject:
	var project := TempProject.new(project_name, files, with_addon)
	_projects.append(project)
	return project


## Waits for the end of a process and checks that it is a good one: exit code 0, and a log without
## problems but those of [param expected].
func check_good_end(child: Child, expected: PackedStringArray = []) -> bool:
	if not check(await child.wait_for_end(LIMIT), "it did not end"):
		return false
	var is_good := check_equal(child.exit_code, 0, "the exit code")
	var problems := child.problems(expected)
	if not check(problems.is_empty(), "its log:\n" + "\n".join(problems)):
		is_good = false
	return is_good
