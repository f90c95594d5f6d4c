extends "res://support/noray_suite.gd"
## [code]connect_to_host[/code], one call at a time.

const FullServer := preload("res://support/full_server.gd")
const ProcessProbe := preload("res://support/process_probe.gd")

## In milliseconds: longer than any frame of a game that does not block, shorter than the wait.
const LONG_FRAME := 0.15


## Fails when the guide's first line does not work.
func test_connects_and_tells() -> void:
	var server := start_server()
	var connected := record(Noray.on_connect_to_host)
	var disconnected := record(Noray.on_disconnect_from_host)
	check(not Noray.is_connected_to_host(), "connected before")
	var error: Error = await Noray.connect_to_host(HERE, server.port)
	check_error(error, OK)
	check(Noray.is_connected_to_host(), "not connected")
	check_equal(connected.size(), 1, "on_connect_to_host, when the await ends")
	await wait_frames(3)
	check_equal(connected.size(), 1, "on_connect_to_host")
	check_equal(disconnected.size(), 0, "on_disconnect_from_host")


## Fails when a name is not looked up, or an address with spaces around it is.
func test_names_and_pasted_addresses() -> void:
	var server := start_server()
	for address: String in ["localhost", " 127.0.0.1\n"]:
		check_error(await Noray.connect_to_host(address, server.port), OK, address)


## Fails when games cannot tell a wrong name from a server that is down.
func test_name_without_address() -> void:
	expect_in_log("Noray: no.such.name.invalid: no address found")
	check_error(await Noray.connect_to_host("no.such.name.invalid"), ERR_CANT_RESOLVE)
	check_message(["no.such.name.invalid", "no address found"])
	check(not Noray.is_connected_to_host(), "connected")


## Fails when a refusal is not told at once.
func test_refused_port() -> void:
	var gone := FakeServer.new()
	gone.stop()
	expect_in_log("Noray: 127.0.0.1, port %d: " % gone.port)
	var disconnected := record(Noray.on_disconnect_from_host)
	var began := Time.get_ticks_msec()
	check_error(await Noray.connect_to_host(HERE, gone.port), ERR_CONNECTION_ERROR)
	check(Time.get_ticks_msec() - began < 2000, "it took long")
	check_message([HERE, str(gone.port)])
	check_equal(disconnected.size(), 0, "on_disconnect_from_host")


## Fails when the setting does not bound the wait, or is read only once.
func test_time_out_is_the_settings() -> void:
	var full := FullServer.new()
	await full.fill()
	for seconds: float in [0.3, 0.9]:
		ProjectSettings.set_setting(CONNECT_TIMEOUT, seconds)
		var message := "port %d: no answer within %s s" % [full.port, String.num(seconds)]
		expect_in_log(message)
		var began := Time.get_ticks_msec()
		check_error(await Noray.connect_to_host(HERE, full.port), ERR_TIMEOUT)
		var took := (Time.get_ticks_msec() - began) / 1000.0
		check(took > seconds - 0.05 and took < seconds + 0.5, "it took %s s" % took)
		check_message([HERE, message])


## Fails when a value from a hand-written project file makes the wait endless, or zero.
func test_nonsense_in_the_setting() -> void:
	var server := start_server()
	for nonsense: Variant in [-1.0, NAN, INF, "soon", [], 0]:
		ProjectSettings.set_setting(CONNECT_TIMEOUT, nonsense)
		check_error(
				await Noray.connect_to_host(HERE, server.port), OK, "with " + str(nonsense)
		)


## Fails when nonsense crashes, or is tried.
func test_bad_addresses_and_ports() -> void:
	for nonsense: Array in [
		["", 8890], [" \t", 8890], [HERE, 0], [HERE, -1], [HERE, 65536], [HERE, 1 << 40],
	]:
		var address: String = nonsense[0]
		var port: int = nonsense[1]
		expect_in_log("cannot connect to")
		check_error(
				await Noray.connect_to_host(address, port), ERR_INVALID_PARAMETER, str(nonsense)
		)
		check_message(["not an address", str(port)])
		check(not Noray.is_connected_to_host(), "connected to " + str(nonsense))


## Fails when the game stands still while a server does not answer.
func test_no_frame_is_held() -> void:
	var full := FullServer.new()
	await full.fill()
	ProjectSettings.set_setting(CONNECT_TIMEOUT, 1.0)
	expect_in_log("no answer within 1 s")
	var longest := 0.0
	var last := Time.get_ticks_usec()
	var pending := record(Noray.connect_to_host(HERE, full.port))
	while pending.is_empty():
		await get_tree().process_frame
		longest = maxf(longest, (Time.get_ticks_usec() - last) / 1e6)
		last = Time.get_ticks_usec()
	check(longest < LONG_FRAME, "a frame took %s s" % longest)
	await check_ended(pending, ERR_TIMEOUT, "the call")


## Fails when a greeting is not understood, or an old server's first line is taken for one.
func test_server_version() -> void:
	var server := start_server()
	await connect_to(server.port)
	check(
			await wait_until(
					func() -> bool: return Noray.server_version.begins_with("noray-server v"), 5.0
			),
			"our server's greeting: " + Noray.server_version
	)

	# A server of generation 1 does not greet: the last server's version must not stay.
	var silent := FakeServer.new()
	await connect_to_fake(silent)
	check_equal(Noray.server_version, "", "of a server that did not greet")
	silent.say("echo hi\n")
	await wait_signal(Noray.on_command, 5.0)
	check_equal(Noray.server_version, "", "after another command")

	var second := FakeServer.new()
	await connect_to_fake(second)
	second.say("hi \"noray v2.0.1\"\n")
	check_equal(await wait_signal(Noray.on_command, 5.0), ["hi", "noray v2.0.1"])
	check_equal(Noray.server_version, "noray v2.0.1")


## Fails when the identity at one server is offered to players of the next.
func test_a_new_connection_begins_anew() -> void:
	var server := start_server()
	await join(server.port, server.registrar_port)
	check(not Noray.oid.is_empty() and not Noray.pid.is_empty(), "no ids")
	check(Noray.local_port > 0, "no local port")
	var pending := record(Noray.connect_to_host(HERE, server.port))
	check_equal([Noray.oid, Noray.pid, Noray.local_port], ["", "", -1])
	await check_ended(pending, OK, "the second call")
	check_equal([Noray.oid, Noray.pid, Noray.local_port], ["", "", -1])


## Fails when the extension pauses with the game, or slows down with it.
func test_a_paused_game_connects() -> void:
	var server := start_server()
	get_tree().paused = true
	Engine.time_scale = 0.0
	var pending := record(Noray.connect_to_host(HERE, server.port))
	await check_ended(pending, OK, "paused")


## Fails when a router forgets an idle host after half a minute.
func test_the_connection_is_kept_alive() -> void:
	if not ProcessProbe.can_look():
		skip("only Linux tells a socket's timers")
		return
	var server := start_server()
	await connect_to(server.port)
	await wait_seconds(0.2)
	var seconds := ProcessProbe.keepalive_in(server.port)
	check(seconds > 10.0 and seconds <= 20.0, "the next probe comes in %s s" % seconds)


## Fails when a connection leaves an object, a thread or a connection behind.
func test_many_in_a_row_leave_nothing() -> void:
	var server := start_server()
	# The first use makes objects that stay.
	await connect_to(server.port)
	await wait_frames(3)
	var objects := Performance.get_monitor(Performance.OBJECT_COUNT)
	var threads := ProcessProbe.thread_names(OS.get_process_id()).size()
	for turn in 40:
		if not await connect_to(server.port):
			return
	await wait_frames(3)
	check_equal(Performance.get_monitor(Performance.OBJECT_COUNT), objects, "objects")
	check_equal(ProcessProbe.thread_names(OS.get_process_id()).size(), threads, "threads")
	check(
			await wait_until(func() -> bool: return server.connection_count == 1, 5.0),
			"%d connections at the server" % server.connection_count
	)
