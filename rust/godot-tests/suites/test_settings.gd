extends "res://suite.gd"
## The project settings under [code]noray/[/code]. Fails when one is missing, has another default
## or range, or when there is one that nobody described.

const SETTINGS: Dictionary = {
	"noray/network/connect_timeout": [8.0, PROPERTY_HINT_RANGE, "0.1,120,0.1,suffix:s"],
	"noray/network/answer_timeout": [5.0, PROPERTY_HINT_RANGE, "0.1,120,0.1,suffix:s"],
	"noray/network/server": ["", PROPERTY_HINT_PLACEHOLDER_TEXT, "noray.example.com"],
	"noray/network/lan": [true, PROPERTY_HINT_NONE, ""],
	"noray/logging/level": [
		2, PROPERTY_HINT_ENUM, "Off,Errors,Warnings,Information,Debug,Trace",
	],
}


func test_settings_with_defaults_and_ranges() -> void:
	var found: Array = []
	for property: Dictionary in ProjectSettings.get_property_list():
		var setting: String = property["name"]
		if not setting.begins_with("noray/"):
			continue
		found.append(setting)
		if not check(setting in SETTINGS, setting + " is not known"):
			continue
		var wanted: Array = SETTINGS[setting]
		check_equal(ProjectSettings.get_setting(setting), wanted[0], setting)
		check_equal(property["hint"], wanted[1], setting + "'s hint")
		check_equal(property["hint_string"], wanted[2], setting + "'s range")
		check_equal(property["type"], typeof(wanted[0]), setting + "'s type")
		# Else the editor writes every default into the game's project file.
		check(ProjectSettings.property_can_revert(setting), setting + " has no default")
		check_equal(ProjectSettings.property_get_revert(setting), wanted[0], setting)
		# Else they hide behind 'Advanced Settings'.
		var usage: int = property["usage"]
		check(usage & PROPERTY_USAGE_EDITOR_BASIC_SETTING != 0, setting + " is advanced")
	check_equal(found, SETTINGS.keys(), "the settings")
