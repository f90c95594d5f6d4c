extends RefCounted
## A project in the user's folder, with a copy of the addon. Delete it at the end.

const ADDON := "res://addons/noray"
const EXTENSION := "res://addons/noray/noray.gdextension"

## Absolute.
var path: String = ""


## [param files] has the content of each file by its path in the project.
func _init(project_name: String, files: Dictionary, with_addon: bool = true) -> void:
	var folder := "user://test-projects/%s-%d" % [project_name, OS.get_process_id()]
	path = ProjectSettings.globalize_path(folder)
	_delete(path)
	for file: String in files:
		var content: String = files[file]
		write(file, content)
	if with_addon:
		_copy(ADDON, path.path_join("addons/noray"))
		write(".godot/extension_list.cfg", EXTENSION + "\n")


func delete() -> void:
	_delete(path)


func write(file: String, content: String) -> void:
	var whole := path.path_join(file)
	DirAccess.make_dir_recursive_absolute(whole.get_base_dir())
	FileAccess.open(whole, FileAccess.WRITE).store_string(content)


func _copy(from: String, to: String) -> void:
	DirAccess.make_dir_recursive_absolute(to)
	for file in DirAccess.get_files_at(from):
		# The editor makes these for each project.
		if file.get_extension() not in ["import", "uid"]:
			DirAccess.copy_absolute(from.path_join(file), to.path_join(file))
	for folder in DirAccess.get_directories_at(from):
		_copy(from.path_join(folder), to.path_join(folder))


func _delete(folder: String) -> void:
	var directory := DirAccess.open(folder)
	if directory == null:
		return
	directory.include_hidden = true
	for file in directory.get_files():
		directory.remove(file)
	for inner in directory.get_directories():
		_delete(folder.path_join(inner))
	DirAccess.remove_absolute(folder)
