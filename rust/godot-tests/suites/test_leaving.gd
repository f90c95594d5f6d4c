extends "res://support/host_join_suite.gd"
## [code]cancel_host[/code], [code]leave[/code], scenes that end while they await, awaits that are
## taken up late, and whose error [code]last_error[/code] is. The table of all calls and states is
## checked in Rust.

const FullServer := preload("res://support/full_server.gd")


## A scene that hosts, and may be freed meanwhile.
class Scene:
	extends Node

	var ends: Array = []

	func begin(address: String) -> void:
		ends.append(await Noray.host(address))


func _init() -> void:
	time_limit = 60.0


## Fails when a call of host that waits cannot be given up, or the next does not begin at once.
func test_a_pending_host_does_not_block_for_its_time() -> void:
	var full := FullServer.new()
	await full.fill()
	var pending := record(Noray.host("%s:%d" % [HERE, full.port]))
	await wait_frames(3)
	Noray.cancel_host()
	check(await comes(pending, 1, 0.5), "it ended %d times" % pending.size())
	check_equal(pending, [[null]], "the result")
	check_error(Noray.last_error, ERR_SKIP)
	check_message(["cancelled"])
	await host_here()


## Fails when a cancel ends a game that is on, or does anything without a call.
func test_a_cancel_ends_no_game_that_is_on() -> void:
	Noray.cancel_host()
	var peer := await host_here()
	Noray.cancel_host()
	await wait_frames(2)
	check_equal(peer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTED)
	check_error(Noray.last_error, OK)


## Fails when a scene that was freed while it awaited keeps the next one from hosting.
func test_a_freed_scene_does_not_keep_the_next_from_hosting() -> void:
	var full := FullServer.new()
	await full.fill()
	var scene := Scene.new()
	add_child(scene)
	scene.begin("%s:%d" % [HERE, full.port])
	await wait_frames(3)
	var ends := scene.ends
	scene.free()
	var began := Time.get_ticks_msec()
	await host_here()
	check(Time.get_ticks_msec() - began < 2000, "it took long")
	check_equal(ends, [], "ends of the freed scene")


## Fails when a variable that still holds an old peer keeps a game from hosting again.
func test_an_old_peer_in_a_variable_does_not_keep_a_game_from_hosting_again() -> void:
	var old := await host_here()
	var oid := Noray.oid
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	await host_here()
	check_equal(old.get_connection_status(), MultiplayerPeer.CONNECTION_DISCONNECTED, "the old one")
	check_equal(Noray.oid, oid, "the OpenID")
	await oid_of(start_joining_player(oid))
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	check_equal(events.size(), 1, "players")


## Fails when players stay in a game that the host has left, or the host cannot host again at once.
func test_a_host_that_leaves_does_not_keep_its_players() -> void:
	var peer := await host_here()
	var oid := Noray.oid
	var player := start_joining_player(oid)
	await oid_of(player)
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	Noray.leave()
	check_equal(peer.get_connection_status(), MultiplayerPeer.CONNECTION_DISCONNECTED)
	multiplayer.multiplayer_peer = null
	await says(player, "server_disconnected", 3.0)
	check(Noray.is_connected_to_host(), "the server was left too")
	await host_here()
	check_equal(Noray.oid, oid, "the OpenID")


## Fails when the host still has a player who has left.
func test_a_player_who_leaves_does_not_stay_in_the_game() -> void:
	var host := start_host()
	var peer := await join_here(await oid_of(host))
	await happens("1 said welcome 3")
	var id := peer.get_unique_id()
	Noray.leave()
	multiplayer.multiplayer_peer = null
	check_equal(peer.get_connection_status(), MultiplayerPeer.CONNECTION_DISCONNECTED)
	await says(host, "peer_disconnected %d" % id, 3.0)
	check(Noray.get_connection(1) == null, "a connection to the host")


## Fails when leaving ends a call with another error than its own, or not at once.
func test_leaving_does_not_let_a_call_hang() -> void:
	var full := FullServer.new()
	await full.fill()
	var address := "%s:%d" % [HERE, full.port]
	for which: String in ["host", "join"]:
		var signal_of := Noray.host(address) if which == "host" else Noray.join("a", address)
		var pending := record(signal_of)
		await wait_frames(2)
		Noray.leave()
		check(await comes(pending, 1, 0.5), "%s ended %d times" % [which, pending.size()])
		check_equal(pending, [[null]], "the result of " + which)
		check_error(Noray.last_error, ERR_SKIP)


## Fails when an await that is taken up after the call has ended hangs, or gets another result.
func test_an_await_that_is_taken_up_late_does_not_hang() -> void:
	var hosting := Noray.host(here(), 8, options())
	await wait_until(func() -> bool: return Noray.local_port > 0, 5.0)
	await wait_seconds(0.5)
	var ends: Array = []
	_await(hosting, ends)
	await wait_until(func() -> bool: return not ends.is_empty(), 2.0)
	if check_equal(ends.size(), 1, "ends"):
		check(ends[0] is ENetMultiplayerPeer, "it gave %s" % [ends[0]])
	expect_in_log("cannot join: the OpenID is empty")
	var joining := Noray.join("", here())
	await wait_frames(10)
	expect_in_log("cannot host: 0 is no number of players")
	await Noray.host(here(), 0)
	var joined: ENetMultiplayerPeer = await joining
	check_refused(joined, ERR_INVALID_PARAMETER, ["OpenID"])


## Fails when a call's error is that of another which ended in the same frame.
func test_two_calls_at_once_do_not_mix_up_their_errors() -> void:
	expect_in_log("cannot host: 0 is no number of players")
	expect_in_log("cannot join: no such host")
	var told: Array[String] = []
	var hosting := func() -> void:
		await Noray.host(here(), 0)
		told.append("%s %s" % [Noray.last_error, Noray.last_error_message])
	var joining := func() -> void:
		await Noray.join("nobody", here(), options())
		told.append("%s %s" % [Noray.last_error, Noray.last_error_message])
	joining.call()
	hosting.call()
	await wait_until(func() -> bool: return told.size() == 2, 5.0)
	if check_equal(told.size(), 2, "ends"):
		check(told[0].begins_with("%d " % ERR_INVALID_PARAMETER), told[0])
		check(told[1].begins_with("%d " % ERR_DOES_NOT_EXIST), told[1])


## Fails when the end of a cancelled join comes only after the next game has begun.
func test_a_cancelled_join_does_not_end_behind_the_next_host() -> void:
	await host_here()
	Noray.leave()
	var ends: Array[String] = []
	var joining := func() -> void:
		await Noray.join("nobody", here(), options())
		ends.append("join")
	var hosting := func() -> void:
		await Noray.host(here(), 4, options())
		ends.append("host")
	for turn in 5:
		ends.clear()
		joining.call()
		Noray.cancel_join()
		hosting.call()
		await wait_until(func() -> bool: return ends.size() == 2, 5.0)
		check_equal(", ".join(ends), "join, host", "turn %d" % turn)
		Noray.leave()


## Fails when the error of an earlier call is left after one that succeeded.
func test_a_success_leaves_no_error_behind() -> void:
	expect_in_log("cannot host: 0 is no number of players")
	await Noray.host(here(), 0)
	check_error(Noray.last_error, ERR_INVALID_PARAMETER)
	check_error(await Noray.connect_to_host(HERE, server.port), OK)
	check_error(Noray.last_error, OK)
	check_equal(Noray.last_error_message, "")
	expect_in_log("cannot host: 0 is no number of players")
	await Noray.host(here(), 0)
	await host_here()
	check_error(Noray.last_error, OK)


## Fails when what the help says to await after a join does not let an RPC through.
func test_an_rpc_after_connected_to_server_is_not_lost() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	var peer: ENetMultiplayerPeer = await Noray.join(oid, here(), options())
	if not check(peer != null, Noray.last_error_message):
		return
	multiplayer.multiplayer_peer = peer
	await multiplayer.connected_to_server
	check(1 in multiplayer.get_peers(), "the host is not among the peers")
	talk.say.rpc_id(1, "ping")
	await happens("1 said pong")


func _await(ended: Signal, ends: Array) -> void:
	ends.append(await ended)
