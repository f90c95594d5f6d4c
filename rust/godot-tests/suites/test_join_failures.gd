extends "res://support/host_join_suite.gd"
## Each failure of [code]join[/code] has its own [enum Error] and its own sentence.

const FakeNoray1 := preload("res://support/fake_noray_1.gd")
const FakeNoray2 := preload("res://support/fake_noray_2.gd")
const FakeNoray := preload("res://support/fake_noray.gd")
const FullServer := preload("res://support/full_server.gd")

## An address where nobody listens.
const DEAD := "127.0.0.1:9"


func _init() -> void:
	time_limit = 60.0


## Fails when a wrong OpenID is not told at once.
func test_no_such_host() -> void:
	expect_in_log("cannot join: no such host")
	var began := Time.get_ticks_msec()
	check_refused(
			await Noray.join("nobody", here(), options()), ERR_DOES_NOT_EXIST, ["no such host"]
	)
	check(Time.get_ticks_msec() - began < 1500, "it took long")


## Fails when a code whose game has ended is tried for seconds, and then said to be out of reach.
func test_the_code_of_a_game_that_has_ended() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	if await join_here(oid) == null:
		return
	await happens("1 said welcome 3")
	talk.say.rpc_id(1, "close")
	await happens("server_disconnected")
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	# A frame, and a line to the server.
	await wait_seconds(0.5)
	check(host.is_running(), "the host has left the server as well")
	expect_in_log("cannot join: no such host")
	var began := Time.get_ticks_msec()
	check_refused(await Noray.join(oid, here(), options()), ERR_DOES_NOT_EXIST, ["no such host"])
	check(Time.get_ticks_msec() - began < 2000, "it took long")


## Fails when that is so only with our own server: generation 1 refuses with silence.
func test_no_such_host_at_generation_1() -> void:
	await _check_no_such_host(FakeNoray1.new())


func test_no_such_host_at_generation_2() -> void:
	await _check_no_such_host(FakeNoray2.new())


## Fails when a host that has left looks like a wrong OpenID, or the join takes too long.
func test_host_not_reachable_at_generation_1() -> void:
	await _check_dead_host(FakeNoray1.new())


func test_host_not_reachable_at_generation_2() -> void:
	await _check_dead_host(FakeNoray2.new())


func test_no_such_server() -> void:
	expect_in_log("cannot join:")
	check_refused(
			await Noray.join("a", "no-such-name.invalid"), ERR_CANT_RESOLVE, ["no-such-name.invalid"]
	)


func test_no_server_there() -> void:
	var fake := FakeServer.new()
	fake.stop()
	expect_in_log("cannot join:")
	check_refused(
			await Noray.join("a", _at(fake)), ERR_CONNECTION_ERROR, [HERE, str(fake.port)]
	)


## Fails when a server that does not answer counts as a time-out of the join.
func test_a_silent_server() -> void:
	var full := FullServer.new()
	await full.fill()
	ProjectSettings.set_setting(CONNECT_TIMEOUT, 0.5)
	expect_in_log("cannot join:")
	check_refused(
			await Noray.join("a", "%s:%d" % [HERE, full.port]), ERR_CONNECTION_ERROR, ["0.5 s"]
	)


## Fails when the join waits until its time-out for a server that is no noray.
func test_a_server_that_gives_no_identity() -> void:
	ProjectSettings.set_setting(ANSWER_TIMEOUT, 0.5)
	var fake := FakeServer.new()
	expect_in_log("cannot join:")
	check_refused(await Noray.join("a", _at(fake)), ERR_CONNECTION_ERROR, ["noray server"])


## Fails when a closed registrar counts as a time-out of the join.
func test_a_silent_registrar() -> void:
	var fake := FakeNoray1.new()
	fake.registrar.answer = Callable()
	expect_in_log("cannot join: no answer from the registrar")
	check_refused(
			await Noray.join("a", _at(fake), _options_of(fake)),
			ERR_CONNECTION_ERROR, ["registrar", str(fake.registrar.port)]
	)


func test_a_registrar_that_refuses() -> void:
	var fake := FakeNoray1.new()
	fake.registrar.answer = func(_pid: String) -> String: return "Unknown host pid!"
	expect_in_log("cannot join: the registrar refused this player")
	check_refused(
			await Noray.join("a", _at(fake), _options_of(fake)),
			FAILED, ["registrar", "refused"]
	)


## Fails when a server that hangs up leaves the await hanging.
func test_a_server_that_closes() -> void:
	var fake := FakeServer.new()
	var pending := record(Noray.join("a", _at(fake), {"timeout": 3.0}))
	await wait_until(func() -> bool: return not fake.lines.is_empty(), 5.0)
	expect_in_log("Noray: the server closed the connection")
	expect_in_log("cannot join:")
	fake.stop()
	check(await comes(pending, 1, 10.0), "it ended %d times" % pending.size())
	check_equal(pending, [[null]])
	check(
			Noray.last_error in [ERR_CONNECTION_ERROR, ERR_TIMEOUT], error_string(Noray.last_error)
	)


## Fails when a player has to wait at a full game.
func test_a_full_host() -> void:
	var host := start_host(1)
	var oid := await oid_of(host)
	var player := start_joining_player(oid)
	await oid_of(player)
	await says(player, "heard 1 welcome 3")
	expect_in_log("cannot join: the host's game is full")
	check_refused(
			await Noray.join(oid, here(), options()), ERR_CANT_ACQUIRE_RESOURCE, ["full"]
	)


## Fails when a host whose link answers, but whose game hangs, looks like one that is not there.
func test_a_game_that_does_not_answer() -> void:
	var oid := await oid_of(start_player("idle", "8", {}))
	for seconds: float in [6.0, 2.0]:
		expect_in_log("cannot join: the host is loading: its game did not answer within")
		var began := Time.get_ticks_msec()
		var joined: ENetMultiplayerPeer = await Noray.join(
				oid, here(), options({"timeout": seconds})
		)
		check_refused(joined, ERR_TIMEOUT, ["loading", "%d s" % seconds])
		check(Time.get_ticks_msec() - began < seconds * 1000.0 + 1000.0, "it took long")


## Fails when a host that loads a level is given up before the join's own time is over, or a player
## is not told.
func test_a_host_that_loads_does_not_keep_a_player_out() -> void:
	var stages := record(Noray.join_progressed)
	var oid := await oid_of(start_player("loading", "8", {}))
	await wait_seconds(0.5)
	var began := Time.get_ticks_msec()
	if await join_here(oid) == null:
		return
	check(Time.get_ticks_msec() - began > 5200, "it did not load")
	var messages := stages.map(func(stage: Array) -> String: return stage[1])
	check(
			messages.any(func(text: String) -> bool: return text.contains("host is loading")),
			"not told: %s" % [messages]
	)
	await happens("peer_connected 1")


## Fails when a player waits at a host that takes no new players, or is told another reason; when
## those who are in have to leave; or when the flag cannot change.
func test_a_host_that_refuses_new_connections_does_not_let_a_player_wait() -> void:
	var peer := await host_here()
	await oid_of(start_joining_player(Noray.oid))
	await wait_until(func() -> bool: return multiplayer.get_peers().size() == 1, 5.0)
	peer.refuse_new_connections = true
	await wait_frames(2)
	var refused := start_joining_player(Noray.oid)
	var words := await refused.wait_for_line("[child] failed ", START_LIMIT)
	check(words.begins_with("Locked"), "it said '%s'" % words)
	check(words.contains("no new players"), "it said '%s'" % words)
	for line in refused.output():
		check(not line.begins_with("[child] connected_to_server"), "it was told to be in")
	peer.refuse_new_connections = false
	await oid_of(start_joining_player(Noray.oid))
	await wait_until(func() -> bool: return multiplayer.get_peers().size() == 2, 5.0)
	check_equal(multiplayer.get_peers().size(), 2, "players")


## Fails when the game's own time-out is not kept.
func test_timed_out() -> void:
	var fake := FakeNoray1.new()
	fake.add_entry("dead", DEAD)
	expect_in_log("cannot join: no way to the host within 0.5 s")
	var began := Time.get_ticks_msec()
	check_refused(
			await Noray.join(
					"dead", _at(fake), {"registrar_port": fake.registrar.port, "timeout": 0.5}
			),
			ERR_TIMEOUT, ["0.5 s"]
	)
	var took := Time.get_ticks_msec() - began
	check(took > 450 and took < 1200, "it took %d ms" % took)


func test_own_open_id() -> void:
	await join(server.port, server.registrar_port)
	expect_in_log("cannot join: this is the player's own OpenID")
	check_refused(
			await Noray.join(Noray.oid, here(), options()), ERR_INVALID_PARAMETER, ["own OpenID"]
	)


func test_no_open_id() -> void:
	var reasons: Dictionary = {
		"": "the OpenID is empty",
		"a b": "the OpenID has a space or a line break in it",
		"a\nb": "the OpenID has a space or a line break in it",
		"\"a\"": "the OpenID has a character in it that no server accepts",
		"x".repeat(1025): "the OpenID is longer than 1024 bytes",
	}
	for oid: String in reasons:
		var reason: String = reasons[oid]
		expect_in_log("cannot join: " + reason)
		check_refused(await Noray.join(oid, here(), options()), ERR_INVALID_PARAMETER, [reason])
	check_equal(server.connection_count, 0, "connections")


## Fails when a second call breaks the first, or hangs.
func test_another_join_runs() -> void:
	var oid := await oid_of(start_host())
	var first := record(Noray.join(oid, here(), options()))
	expect_in_log("cannot join: a join runs")
	check_refused(await Noray.join(oid, here(), options()), ERR_BUSY, ["cancel_join"])
	expect_in_log("cannot host: a join runs")
	check_refused(await Noray.host(here(), 8, options()), ERR_BUSY, ["cancel_join"])
	check(await comes(first), "the first came %d times" % first.size())
	check(first[0][0] is ENetMultiplayerPeer, "the first: " + Noray.last_error_message)


## Fails when a failed join blocks the next.
func test_after_a_failure() -> void:
	var oid := await oid_of(start_host())
	for round_index in 2:
		expect_in_log("cannot join: no such host")
		check_refused(await Noray.join("nobody", here(), options()), ERR_DOES_NOT_EXIST, ["host"])
	await join_here(oid)
	await happens("1 said welcome 3")


func _check_no_such_host(fake: FakeNoray) -> void:
	expect_in_log("cannot join: no such host")
	var began := Time.get_ticks_msec()
	check_refused(
			await Noray.join("nobody", _at(fake), _options_of(fake)), ERR_DOES_NOT_EXIST,
			["no such host"]
	)
	check(Time.get_ticks_msec() - began < 2500, "it took long")


func _check_dead_host(fake: FakeNoray) -> void:
	fake.add_entry("dead", DEAD)
	expect_in_log("cannot join: the host cannot be reached")
	var began := Time.get_ticks_msec()
	check_refused(
			await Noray.join("dead", _at(fake), _options_of(fake)), ERR_CANT_CONNECT,
			["cannot be reached"]
	)
	check(Time.get_ticks_msec() - began < 12000, "it took long")


func _at(fake: FakeServer) -> String:
	return "%s:%d" % [HERE, fake.port]


func _options_of(fake: FakeNoray) -> Dictionary:
	return {"registrar_port": fake.registrar.port}
