extends "res://support/noray_suite.gd"
## The server closes the connection, or dies.


## Fails when a server that accepts and closes counts as connected, or the game is not told.
func test_a_server_that_closes_at_once() -> void:
	var server := FakeServer.new()
	server.is_awake = false
	var disconnected := record(Noray.on_disconnect_from_host)
	expect_in_log("Noray: the server closed the connection")
	var pending := record(Noray.connect_to_host(HERE, server.port))
	await check_ended(pending, OK, "the call")
	server.is_awake = true
	await wait_until(func() -> bool: return not server.connections.is_empty(), 5.0)
	server.close_connections()
	check(await comes(disconnected), "on_disconnect_from_host came %d times" % disconnected.size())
	check(not Noray.is_connected_to_host(), "still connected")
	check_message(["the server closed the connection"])


## Fails when a game never learns that its server is gone, as with netfox.noray.
func test_a_server_that_stops_later() -> void:
	var server := start_server()
	await join(server.port, server.registrar_port)
	var disconnected := record(Noray.on_disconnect_from_host)
	expect_in_log("Noray: the server closed the connection")
	server.stop()
	check(await comes(disconnected), "on_disconnect_from_host came %d times" % disconnected.size())
	check(not Noray.is_connected_to_host(), "still connected")
	check_message(["the server closed the connection"])
	await wait_seconds(0.3)
	check_equal(disconnected.size(), 1, "on_disconnect_from_host, later")


## Fails when [code]is_connected_to_host[/code] is true in the handler, where games call it.
func test_the_property_is_false_in_the_handler() -> void:
	var server := start_server()
	await connect_to(server.port)
	var seen: Array[bool] = []
	Noray.on_disconnect_from_host.connect(
			func() -> void: seen.append(Noray.is_connected_to_host()), CONNECT_ONE_SHOT
	)
	expect_in_log("Noray: the server closed the connection")
	server.stop()
	await wait_until(func() -> bool: return not seen.is_empty(), 5.0)
	check_equal(seen, [false] as Array[bool])


## Fails when anything that waits for the server goes on waiting.
func test_all_that_is_awaited_ends() -> void:
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	server.say("set-oid o\nset-pid p\n")
	await wait_until(func() -> bool: return Noray.pid == "p", 5.0)
	var failed := record(Noray.connect_failed)
	var pids := record(Noray.on_pid)
	# Nothing answers on this port.
	var registrars: Array[Array] = [
		record(Noray.register_remote(server.port)), record(Noray.register_remote(server.port)),
	]
	Noray.register_host()
	Noray.connect_nat("n")
	Noray.connect_relay("r")
	await wait_until(func() -> bool: return server.lines.size() >= 7, 5.0)
	for message: String in ["no direct connection to 'n'", "no relay to 'r'"]:
		expect_in_log(message)
	expect_in_log("Noray: the server closed the connection")
	server.stop()
	for registrar: Array[Array] in registrars:
		await check_ended(registrar, ERR_CONNECTION_ERROR, "register_remote")
	check(await comes(failed, 2), "connect_failed came %d times" % failed.size())
	for emission: Array in failed:
		check_equal(emission[1], ERR_CONNECTION_ERROR as int, "connect_failed's error")
	check_equal(pids, [[""]], "on_pid")


## Fails when lines that came before the end are thrown away.
func test_last_words_are_heard() -> void:
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	var events: Array[String] = []
	Noray.on_connect_nat.connect(
			func(address: String, port: int) -> void: events.append("%s %d" % [address, port]),
			CONNECT_ONE_SHOT
	)
	Noray.on_disconnect_from_host.connect(
			func() -> void: events.append("disconnected"), CONNECT_ONE_SHOT
	)
	expect_in_log("Noray: the server closed the connection")
	server.say("connect 10.1.2.3:4567\n")
	server.stop()
	await wait_until(func() -> bool: return events.size() >= 2, 5.0)
	check_equal(events, ["10.1.2.3 4567", "disconnected"] as Array[String])


## Fails when a call without a connection does anything but fail.
func test_calls_without_a_connection() -> void:
	var server := start_server()
	await join(server.port, server.registrar_port)
	Noray.disconnect_from_host()
	for each: Callable in [
		Noray.register_host, Noray.connect_nat.bind("abc"), Noray.connect_relay.bind("abc"),
	]:
		expect_in_log("not connected to a noray server")
		var error: Error = each.call()
		check_error(error, ERR_CONNECTION_ERROR, each.get_method())
		check_message(["not connected"])
	expect_in_log("not connected to a noray server")
	check_error(await Noray.register_remote(), ERR_CONNECTION_ERROR, "register_remote")
