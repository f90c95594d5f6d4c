extends "res://support/noray_suite.gd"
## [code]register_host[/code]: the identity, its signals, and what happens when none comes.

const FakeNoray1 := preload("res://support/fake_noray_1.gd")
const OtherPlayer := preload("res://support/other_player.gd")


## Fails when the properties are not set in the handlers, or the order of the signals changes.
func test_ids_come_in_order() -> void:
	var server := FakeNoray1.new()
	if not await connect_to_fake(server):
		return
	var events: Array[String] = []
	var on_oid := func(oid: String) -> void: events.append("oid %s %s" % [oid, Noray.oid])
	var on_pid := func(pid: String) -> void: events.append("pid %s %s" % [pid, Noray.pid])
	var on_command := func(command: String, data: String) -> void:
		events.append("%s %s" % [command, data])
	Noray.on_oid.connect(on_oid)
	Noray.on_pid.connect(on_pid)
	Noray.on_command.connect(on_command)
	check_error(Noray.register_host(), OK)
	await wait_until(func() -> bool: return events.size() >= 4, 5.0)
	Noray.on_oid.disconnect(on_oid)
	Noray.on_pid.disconnect(on_pid)
	Noray.on_command.disconnect(on_command)
	check_equal(events, [
		"oid oid1 oid1", "set-oid oid1", "pid private-oid1 private-oid1", "set-pid private-oid1",
	] as Array[String])


## Fails when either of a player's two OpenIDs does not lead to it.
func test_two_ids_of_one_player() -> void:
	var server := start_server()
	var oids: PackedStringArray = []
	await join(server.port, server.registrar_port)
	oids.append(Noray.oid)
	var came := record(Noray.on_pid)
	check_error(Noray.register_host(), OK)
	await wait_until(func() -> bool: return not came.is_empty(), 5.0)
	check_error(await Noray.register_remote(server.registrar_port), OK, "registering the second")
	oids.append(Noray.oid)
	check(oids[0] != oids[1], "the second OpenID is the first one")

	var other := OtherPlayer.new()
	check(await other.join(server.port, server.registrar_port), "the other player did not join")
	var connects := record(Noray.on_connect_nat)
	for oid in oids:
		other.say("connect " + oid)
	check(await comes(connects, 2), "%d connects came" % connects.size())
	other.leave()


## Fails when the guide's [code]await Noray.on_pid[/code] never ends because the server is no noray.
func test_no_answer() -> void:
	var server := await _silent_server(0.3)
	var oids := record(Noray.on_oid)
	var pids := record(Noray.on_pid)
	expect_in_log("Noray: the server does not answer")
	check_error(Noray.register_host(), OK)
	var began := Time.get_ticks_msec()
	check(await comes(pids), "on_pid came %d times" % pids.size())
	var took := (Time.get_ticks_msec() - began) / 1000.0
	check(took > 0.25 and took < 1.0, "it took %s s" % took)
	check_equal(oids, [[""]], "on_oid")
	check_equal(pids, [[""]], "on_pid")
	check_message(["does not answer"])
	check(Noray.is_connected_to_host(), "disconnected")
	# The guide's next call tells the game.
	expect_in_log("there is no PrivateID yet")
	check_error(await Noray.register_remote(server.port), ERR_UNAUTHORIZED)


## Fails when an answer that comes after the time-out is lost.
func test_an_answer_that_is_too_late() -> void:
	var server := await _silent_server(0.2)
	var pids := record(Noray.on_pid)
	expect_in_log("Noray: the server does not answer")
	Noray.register_host()
	await comes(pids)
	server.say("set-oid late\nset-pid later\n")
	check(await comes(pids, 2), "on_pid came %d times" % pids.size())
	check_equal([Noray.oid, Noray.pid], ["late", "later"])


## Fails when one answer counts for two requests, or the other request never ends.
func test_two_requests_and_one_answer() -> void:
	var server := await _silent_server(0.4)
	var pids := record(Noray.on_pid)
	Noray.register_host()
	Noray.register_host()
	await wait_until(func() -> bool: return server.lines.size() == 2, 5.0)
	expect_in_log("Noray: the server does not answer")
	server.say("set-oid one\nset-pid first\n")
	check(await comes(pids, 2), "on_pid came %d times" % pids.size())
	check_equal(pids, [["first"], [""]])
	check_equal(Noray.pid, "first", "the pid")


## Fails when an await hangs because the player left.
func test_disconnecting_meanwhile() -> void:
	await _silent_server(5.0)
	var pids := record(Noray.on_pid)
	var oids := record(Noray.on_oid)
	Noray.register_host()
	Noray.disconnect_from_host()
	check_equal([oids, pids], [[[""]], [[""]]], "on_oid and on_pid")
	await wait_frames(3)
	check_equal(pids.size(), 1, "on_pid, later")


## Fails when an await hangs because the server left.
func test_a_server_that_goes_meanwhile() -> void:
	var server := await _silent_server(5.0)
	var pids := record(Noray.on_pid)
	Noray.register_host()
	await wait_until(func() -> bool: return not server.lines.is_empty(), 5.0)
	expect_in_log("Noray: the server closed the connection")
	server.stop()
	check(await comes(pids), "on_pid came %d times" % pids.size())
	check_equal(pids, [[""]])


## Fails when the end of a connection emits identities that nobody asked for.
func test_nothing_asked_nothing_told() -> void:
	var server := start_server()
	await get_identity(server.port)
	var pids := record(Noray.on_pid)
	Noray.disconnect_from_host()
	await wait_frames(2)
	check_equal(pids.size(), 0, "on_pid")


func _silent_server(answer_timeout: float) -> FakeServer:
	ProjectSettings.set_setting(ANSWER_TIMEOUT, answer_timeout)
	var server := FakeServer.new()
	await connect_to_fake(server)
	return server
