extends "res://support/process_suite.gd"
## The demo's screens, without a window.

const SCREENS := "res://children/demo_screens.gd"

## In pixels. Below this, the smallest letters have less than ten.
const READABLE := Vector2i(864, 486)


## Fails when a window can be made so small that its text cannot be read.
func test_no_window_is_too_small_to_read() -> void:
	var demo := await _look()
	for scene: String in ["demo", "plain flow"]:
		var said := await demo.wait_for_line("[child] smallest window of the %s " % scene)
		check_equal(said, str(READABLE), scene)


## Fails when the demo offers an address that others cannot reach as if they could.
func test_the_address_that_others_enter_is_shown() -> void:
	var demo := await _look()
	var at_first := await demo.wait_for_line("[child] server at first ")
	var hint := await demo.wait_for_line("[child] hint at 127.0.0.1 ")
	check(hint.begins_with("Only games on this computer"), "the hint: " + hint)
	if at_first == HERE:
		skip("this computer is in no network")
		return
	check(at_first in IP.get_local_addresses(), at_first + " is not this computer's")
	check(not at_first.begins_with("127."), "others cannot reach " + at_first)
	check(hint.contains(at_first), "the hint names no address for others: " + hint)


## Fails when an error stands both in the notice and in the log below it.
func test_an_error_stands_once() -> void:
	var demo := await _look()
	check_equal(await demo.wait_for_line("[child] mistake shown "), "1")


## Fails when a full game's rows are cut.
func test_seven_players_rows_are_whole() -> void:
	var demo := await _look()
	check_equal(await demo.wait_for_line("[child] rows are whole "), "true")


## Fails when one wrong click removes a player.
func test_a_click_alone_kicks_nobody() -> void:
	var demo := await _look()
	var asked := await demo.wait_for_line("[child] before a kick ")
	check_equal(asked, "Remove Bob 0 from the game?")


## Fails when the plain flow's scene explains nothing, or lets one join nobody.
func test_the_plain_flow_joins_nobody_without_an_open_id() -> void:
	var demo := await _look()
	for words: String in [
		"join without an OpenID false", "join with an OpenID true", "plain flow explained true",
	]:
		check(("[child] " + words) in demo.output(), "it did not say: " + words)


func _look() -> Child:
	var project := ProjectSettings.globalize_path("res://").path_join("../../godot-project")
	var demo := start_godot(
			project.simplify_path(), ["--script", ProjectSettings.globalize_path(SCREENS)]
	)
	await check_good_end(demo)
	return demo
