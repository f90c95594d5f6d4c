extends "res://support/noray_suite.gd"
## The class [code]NorayServer[/code].

const OtherPlayer := preload("res://support/other_player.gd")
const ProcessProbe := preload("res://support/process_probe.gd")

## An address reserved for documentation: no machine has it.
const NOT_OURS := "192.0.2.1"


## Fails when a game cannot ask for free ports, or is not told which it got.
func test_free_ports() -> void:
	var server := NorayServer.new()
	check(not server.is_running(), "it runs before")
	check_error(server.start(0, 0, RELAY_PORTS, HERE), OK)
	check(server.is_running(), "it does not run")
	check(server.port > 0 and server.port < 65536, "port %d" % server.port)
	check(server.registrar_port > 0, "registrar port %d" % server.registrar_port)
	check_equal(server.last_error_message, "")
	# At once, without a frame between.
	check_error(await Noray.connect_to_host(HERE, server.port), OK, "connecting to it")


## Fails when the defaults are not those of the public server.
func test_default_ports() -> void:
	var server := NorayServer.new()
	var error := server.start()
	if error == ERR_ALREADY_IN_USE:
		expect_in_log("no server: ")
		skip("something else has the default ports: " + server.last_error_message)
		check(
				server.last_error_message.contains("8890")
				or server.last_error_message.contains("8809"),
				server.last_error_message
		)
		return
	check_error(error, OK)
	check_equal([server.port, server.registrar_port], [8890, 8809])


## Fails when a second start ends or doubles the running server.
func test_started_twice() -> void:
	var server := start_server()
	var ports := [server.port, server.registrar_port]
	await connect_to(server.port)
	expect_in_log("no server: the server is running already")
	check_error(server.start(0, 0, RELAY_PORTS, HERE), ERR_ALREADY_IN_USE)
	check_equal([server.port, server.registrar_port], ports, "its ports")
	check_equal(server.last_error_message, "the server is running already")
	check(Noray.is_connected_to_host(), "its player was disconnected")


## Fails when a taken port is not told, or half a server stays.
func test_taken_ports() -> void:
	var first := start_server()
	var second := NorayServer.new()
	expect_in_log("no server: ")
	check_error(second.start(first.port, 0, RELAY_PORTS, HERE), ERR_ALREADY_IN_USE, "commands")
	check(second.last_error_message.contains(str(first.port)), second.last_error_message)
	check_equal([second.is_running(), second.port], [false, 0], "the second server")

	var free_port := _free_port()
	expect_in_log("no server: ")
	check_error(
			second.start(free_port, first.registrar_port, RELAY_PORTS, HERE),
			ERR_ALREADY_IN_USE,
			"registrar"
	)
	check(
			second.last_error_message.contains(str(first.registrar_port)),
			second.last_error_message
	)
	# The ports that it had bound are free again.
	check_error(second.start(free_port, 0, RELAY_PORTS, HERE), OK, "the third try")
	check_equal(second.last_error_message, "", "after a success")
	check_equal(second.port, free_port)


## Fails when nonsense starts a server, or crashes.
func test_bad_arguments() -> void:
	for nonsense: Array in [
		[-1, 0, RELAY_PORTS, HERE], [65536, 0, RELAY_PORTS, HERE], [1 << 40, 0, RELAY_PORTS, HERE],
		[0, -1, RELAY_PORTS, HERE], [0, 65536, RELAY_PORTS, HERE],
		[0, 0, "ports", HERE], [0, 0, "200-100", HERE], [0, 0, "100-70000", HERE],
		[0, 0, "1,,2-", HERE], [0, 0, "-5", HERE],
		[0, 0, RELAY_PORTS, "localhost"], [0, 0, RELAY_PORTS, ""],
		[0, 0, RELAY_PORTS, "127.0.0.1:80"], [0, 0, RELAY_PORTS, "300.0.0.1"],
	]:
		var server := NorayServer.new()
		expect_in_log("no server: ")
		var error: Error = server.callv(&"start", nonsense)
		check_error(error, ERR_INVALID_PARAMETER, str(nonsense))
		check(not server.last_error_message.is_empty(), str(nonsense) + " has no message")
		check(not server.is_running(), str(nonsense) + " runs")


## Fails when it counts as a port in use, or as no address.
func test_an_address_of_another_machine() -> void:
	var server := NorayServer.new()
	expect_in_log("no server: ")
	check_error(server.start(0, 0, RELAY_PORTS, NOT_OURS), ERR_CANT_CREATE)
	check(server.last_error_message.contains(NOT_OURS), server.last_error_message)


## Fails when players stay connected to a stopped server, or its ports stay taken.
func test_stopping() -> void:
	var server := start_server()
	var port := server.port
	var registrar_port := server.registrar_port
	await join(port, registrar_port)
	var disconnected := record(Noray.on_disconnect_from_host)
	expect_in_log("Noray: the server closed the connection")
	server.stop()
	check_equal([server.is_running(), server.port, server.registrar_port], [false, 0, 0])
	check_equal(
			[server.player_count, server.relay_count, server.connection_count], [0, 0, 0], "counts"
	)
	check(await comes(disconnected), "on_disconnect_from_host: %d times" % disconnected.size())
	server.stop()
	# Its sockets close in the background.
	check_error(server.start(port, registrar_port, RELAY_PORTS, HERE), OK, "starting it again at once")
	check_error(await Noray.connect_to_host(HERE, port), OK, "connecting again")


## Fails when a stopped server's ports are still taken in the same frame.
func test_starting_again_in_the_same_frame() -> void:
	var server := start_server()
	var port := server.port
	var registrar_port := server.registrar_port
	for _time: int in 20:
		server.stop()
		check_error(
				server.start(port, registrar_port, RELAY_PORTS, HERE), OK, server.last_error_message
		)
	check_error(await Noray.connect_to_host(HERE, port), OK, "connecting")


## Fails when the counts of players and relays are wrong.
func test_counts() -> void:
	var server := start_server()
	check_equal(_counts(server), [0, 0, 0], "at first")
	var silent := OtherPlayer.new()
	await silent.connect_to(server.port)
	await _check_counts(server, [1, 0, 0], "with a connection")
	var other := OtherPlayer.new()
	await other.join(server.port, server.registrar_port)
	await _check_counts(server, [2, 1, 0], "with a player")
	await join(server.port, server.registrar_port)
	var relayed := record(Noray.on_connect_relay)
	Noray.connect_relay(other.oid)
	await comes(relayed)
	await _check_counts(server, [3, 2, 2], "with a relay")
	silent.leave()
	Noray.disconnect_from_host()
	await _check_counts(server, [1, 1, 2], "when two have left")
	other.leave()
	await _check_counts(server, [0, 0, 2], "when all have left")


## Fails when two servers of one game know each other's players.
func test_two_servers() -> void:
	var first := start_server()
	var second := start_server()
	var other := OtherPlayer.new()
	await other.join(first.port, first.registrar_port)
	await join(second.port, second.registrar_port)
	var failed := record(Noray.connect_failed)
	expect_in_log("no direct connection to '%s'" % other.oid)
	Noray.connect_nat(other.oid)
	check(await comes(failed), "connect_failed came %d times" % failed.size())
	check_equal([_counts(first), _counts(second)], [[1, 1, 0], [1, 1, 0]])
	first.stop()
	await wait_seconds(0.1)
	check(Noray.is_connected_to_host(), "the other server's player was disconnected")


## Fails when a server that nobody holds goes on.
func test_a_dropped_server_stops() -> void:
	var server := start_server()
	var port := server.port
	await connect_to(port)
	var disconnected := record(Noray.on_disconnect_from_host)
	expect_in_log("Noray: the server closed the connection")
	server = null
	check(await comes(disconnected), "on_disconnect_from_host: %d times" % disconnected.size())
	expect_in_log("port %d: " % port)
	check_error(await Noray.connect_to_host(HERE, port), ERR_CONNECTION_ERROR)


## Fails when a server leaves objects, threads or sockets behind.
func test_many_in_a_row_leave_nothing() -> void:
	start_server()
	await wait_seconds(0.1)
	var before := _holdings()
	for turn in 20:
		var server := start_server()
		await connect_to(server.port)
		Noray.disconnect_from_host()
		server.stop()
	check(
			await wait_until(func() -> bool: return _holdings() == before, 5.0),
			"%s instead of %s" % [_holdings(), before]
	)


func _counts(server: NorayServer) -> Array:
	return [server.connection_count, server.player_count, server.relay_count]


func _check_counts(server: NorayServer, wanted: Array, message: String) -> void:
	await wait_until(func() -> bool: return _counts(server) == wanted, 5.0)
	check_equal(_counts(server), wanted, message)


func _holdings() -> Array:
	var pid := OS.get_process_id()
	return [
		Performance.get_monitor(Performance.OBJECT_COUNT),
		ProcessProbe.thread_names(pid).size(),
		ProcessProbe.socket_count(pid) if ProcessProbe.can_look() else 0,
	]


func _free_port() -> int:
	var listener := TCPServer.new()
	listener.listen(0, HERE)
	var port := listener.get_local_port()
	listener.stop()
	return port
