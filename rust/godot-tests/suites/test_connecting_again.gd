extends "res://support/noray_suite.gd"
## [code]connect_to_host[/code] and [code]disconnect_from_host[/code] while another call waits,
## while a connection exists, and inside the handlers of signals.

const FullServer := preload("res://support/full_server.gd")


## Fails when the first await hangs, or ends as if it had connected.
func test_a_second_call_replaces_the_pending_one() -> void:
	var full := FullServer.new()
	await full.fill()
	var server := start_server()
	var connected := record(Noray.on_connect_to_host)
	var disconnected := record(Noray.on_disconnect_from_host)
	var first := record(Noray.connect_to_host(HERE, full.port))
	await wait_frames(3)
	var second := record(Noray.connect_to_host(HERE, server.port))
	await check_ended(first, ERR_CONNECTION_ERROR, "the first call")
	await check_ended(second, OK, "the second call")
	check(Noray.is_connected_to_host(), "not connected")
	check_equal(connected.size(), 1, "on_connect_to_host")
	# No connection existed that could end.
	check_equal(disconnected.size(), 0, "on_disconnect_from_host")


## Fails when one of several calls in a frame never ends, or leaves a connection behind.
func test_many_calls_in_one_frame() -> void:
	var server := start_server()
	var calls: Array[Array] = []
	for index in 20:
		calls.append(record(Noray.connect_to_host(HERE, server.port)))
	var last: Array[Array] = calls.pop_back()
	await check_ended(last, OK, "the last call")
	for each: Array[Array] in calls:
		if not await check_ended(each, ERR_CONNECTION_ERROR, "a call before it"):
			return
	check(
			await wait_until(func() -> bool: return server.connection_count == 1, 5.0),
			"%d connections" % server.connection_count
	)


## Fails when the end of the replaced connection is not told, or its server keeps it.
func test_a_second_call_replaces_the_connection() -> void:
	var first := start_server()
	var second := start_server()
	await join(first.port, first.registrar_port)
	var disconnected := record(Noray.on_disconnect_from_host)
	await connect_to(second.port)
	check_equal(disconnected.size(), 1, "on_disconnect_from_host")
	check(Noray.is_connected_to_host(), "not connected")
	check_equal(second.connection_count, 1, "connections at the second server")
	check(
			await wait_until(func() -> bool: return first.connection_count == 0, 5.0),
			"the first server still has the player"
	)


## Fails when giving up leaves the await hanging, or tells of a connection that never existed.
func test_disconnect_while_pending() -> void:
	var full := FullServer.new()
	await full.fill()
	var connected := record(Noray.on_connect_to_host)
	var disconnected := record(Noray.on_disconnect_from_host)
	var pending := record(Noray.connect_to_host(HERE, full.port))
	await wait_frames(3)
	Noray.disconnect_from_host()
	await check_ended(pending, ERR_CONNECTION_ERROR, "the call")
	check_equal([connected.size(), disconnected.size()], [0, 0], "signals")
	check(not Noray.is_connected_to_host(), "connected")


## Fails when an await that began in the same frame never ends.
func test_disconnect_in_the_same_frame() -> void:
	var server := start_server()
	var connected := record(Noray.on_connect_to_host)
	var pending := record(Noray.connect_to_host(HERE, server.port))
	Noray.disconnect_from_host()
	await check_ended(pending, ERR_CONNECTION_ERROR, "the call")
	await wait_seconds(0.2)
	check_equal(connected.size(), 0, "on_connect_to_host")
	check_equal(server.connection_count, 0, "connections at the server")


## Fails when the signal comes twice, or without a connection.
func test_disconnect_tells_once() -> void:
	var server := start_server()
	var disconnected := record(Noray.on_disconnect_from_host)
	Noray.disconnect_from_host()
	check_equal(disconnected.size(), 0, "without a connection")
	await connect_to(server.port)
	Noray.disconnect_from_host()
	check_equal(disconnected.size(), 1, "with one")
	check(not Noray.is_connected_to_host(), "still connected")
	Noray.disconnect_from_host()
	await wait_seconds(0.1)
	check_equal(disconnected.size(), 1, "at the end")


## Fails when a handler that connects elsewhere ends the first await wrongly, or never.
func test_connect_in_the_handler_of_on_connect_to_host() -> void:
	var first := start_server()
	var second := start_server()
	var inner: Array[Array] = []
	Noray.on_connect_to_host.connect(
			func() -> void: inner.append(record(Noray.connect_to_host(HERE, second.port))),
			CONNECT_ONE_SHOT
	)
	var outer := record(Noray.connect_to_host(HERE, first.port))
	await check_ended(outer, ERR_CONNECTION_ERROR, "the call that was replaced")
	if check_equal(inner.size(), 1, "calls in the handler"):
		var inner_call: Array[Array] = inner[0]
		await check_ended(inner_call, OK, "the handler's call")
	check_equal(second.connection_count, 1, "connections at the second server")


## Fails when leaving in the handler counts as a success, or is not told.
func test_disconnect_in_the_handler_of_on_connect_to_host() -> void:
	var server := start_server()
	var disconnected := record(Noray.on_disconnect_from_host)
	Noray.on_connect_to_host.connect(Noray.disconnect_from_host, CONNECT_ONE_SHOT)
	var pending := record(Noray.connect_to_host(HERE, server.port))
	await check_ended(pending, ERR_CONNECTION_ERROR, "the call")
	check_equal(disconnected.size(), 1, "on_disconnect_from_host")
	check(not Noray.is_connected_to_host(), "connected")


## Fails when a game that reconnects by itself keeps a dead connection.
func test_reconnect_in_the_handler_of_on_disconnect_from_host() -> void:
	var first := start_server()
	var second := start_server()
	await connect_to(first.port)
	var inner: Array[Array] = []
	Noray.on_disconnect_from_host.connect(
			func() -> void: inner.append(record(Noray.connect_to_host(HERE, second.port))),
			CONNECT_ONE_SHOT
	)
	expect_in_log("Noray: the server closed the connection")
	first.stop()
	await wait_until(func() -> bool: return not inner.is_empty(), 5.0)
	if check_equal(inner.size(), 1, "calls in the handler"):
		var inner_call: Array[Array] = inner[0]
		await check_ended(inner_call, OK, "the handler's call")
	check(Noray.is_connected_to_host(), "not connected")


## Fails when a game that reconnects by itself also changes servers, and one of the two awaits never
## ends.
func test_reconnect_in_a_handler_while_another_server_is_called() -> void:
	var first := start_server()
	var second := start_server()
	await connect_to(first.port)
	var inner: Array[Array] = []
	Noray.on_disconnect_from_host.connect(
			func() -> void: inner.append(record(Noray.connect_to_host(HERE, first.port))),
			CONNECT_ONE_SHOT
	)
	var outer := record(Noray.connect_to_host(HERE, second.port))
	await check_ended(outer, OK, "the call")
	if check_equal(inner.size(), 1, "calls in the handler"):
		var inner_call: Array[Array] = inner[0]
		await check_ended(inner_call, ERR_CONNECTION_ERROR, "the handler's call")
	check_equal(second.connection_count, 1, "connections at the second server")
	check(
			await wait_until(func() -> bool: return first.connection_count == 0, 5.0),
			"the first server still has the player"
	)


## Fails when the code behind the await cannot call on at once.
func test_connect_after_an_await_in_the_same_frame() -> void:
	var server := start_server()
	for turn in 3:
		expect_in_log("cannot connect to ''")
		check_error(await Noray.connect_to_host(""), ERR_INVALID_PARAMETER)
		check_error(await Noray.connect_to_host(HERE, server.port), OK)


## Fails when a scene that is freed while it awaits prints an error, or blocks the connection.
func test_a_scene_that_is_left_while_it_awaits() -> void:
	var server := start_server()
	var menu := Menu.new()
	add_child(menu)
	menu.connect_to(server.port)
	menu.free()
	check(await wait_until(Noray.is_connected_to_host, 5.0), "not connected")
	await wait_frames(3)
	check_equal(server.connection_count, 1, "connections at the server")


## A part of a game that awaits.
class Menu:
	extends Node

	var ended: Array[Error] = []

	func connect_to(port: int) -> void:
		ended.append(await Noray.connect_to_host(HERE, port))
