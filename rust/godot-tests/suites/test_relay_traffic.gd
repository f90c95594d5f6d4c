extends "res://support/host_join_suite.gd"
## How fast a game's data goes through a relay, with the server's default limits.

const MEBIBYTE := 1 << 20
## What the server lets one player send in a second, headers included.
const RELAY_LIMIT := 128.0 * 1024.0
## The least part of the limit that a game's own bytes must reach.
const WANTED := 0.85

## When the last byte of a message came that is as long as wanted, in milliseconds.
var _came_at: int = 0


func _init() -> void:
	time_limit = 90.0


## Fails when ENet's bursts are dropped at the relay, sent again and dropped again, so that a level's
## data takes several times as long as the limit asks for.
func test_a_relay_does_not_stall_bulk_data() -> void:
	if await host_here() == null:
		return
	_came_at = 0
	talk.heard.connect(_on_bulk_data_heard)
	start_joining_player(Noray.oid, {"force_relay": true})
	if not check(
			await wait_until(func() -> bool: return not multiplayer.get_peers().is_empty(), START_LIMIT),
			"nobody joined"
	):
		return
	var began := Time.get_ticks_msec()
	talk.say.rpc_id(multiplayer.get_peers()[0], "send %d" % MEBIBYTE)
	await wait_until(func() -> bool: return _came_at > 0, 60.0)
	if not check(_came_at > 0, "it did not arrive"):
		return
	var seconds := (_came_at - began) / 1000.0
	var reached := MEBIBYTE / seconds / RELAY_LIMIT
	check(reached >= WANTED, "%.1f s, %.0f %% of the limit" % [seconds, 100.0 * reached])


func _on_bulk_data_heard(_from: int, words: String) -> void:
	if words.length() == MEBIBYTE:
		_came_at = Time.get_ticks_msec()
