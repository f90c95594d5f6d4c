extends "res://support/host_join_suite.gd"
## [code]host[/code], with the players in processes of their own.


func _init() -> void:
	time_limit = 60.0


## Fails when the peer is not Godot's own, or the game is not told of a player as with plain ENet.
func test_hosts_a_game() -> void:
	var peer := await host_here()
	if peer == null:
		return
	check_equal(peer.get_class(), "ENetMultiplayerPeer")
	check_equal(peer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTED)
	check(multiplayer.is_server(), "no server")
	check(not Noray.oid.is_empty(), "no OpenID")
	check(Noray.local_port > 0, "no registered port")
	check(Noray.is_connected_to_host(), "not connected")
	check_equal(server.player_count, 1, "players")
	var player := start_joining_player(Noray.oid)
	await oid_of(player)
	if not check(
			await wait_until(func() -> bool: return multiplayer.get_peers().size() == 1, 5.0),
			"nobody came"
	):
		return
	var id := multiplayer.get_peers()[0]
	check_equal(events, ["peer_connected %d" % id] as Array[String])
	talk.say.rpc_id(id, "ping")
	await happens("%d said pong" % id)
	talk.say.rpc_id(id, "quit")
	await happens("peer_disconnected %d" % id)
	await check_good_end(player)


## Fails when anything but the link reaches ENet.
func test_enet_is_not_reachable_from_outside() -> void:
	var peer := await host_here()
	var port := peer.host.get_local_port()
	check(port != Noray.local_port, "ENet has the registered port")
	var socket := PacketPeerUDP.new()
	check_error(socket.bind(port, HERE), ERR_UNAVAILABLE, "its port on the loopback address")
	for address in IP.get_local_addresses():
		if address.is_valid_ip_address() and not address.contains(":") and address != HERE:
			check_error(socket.bind(port, address), OK, "its port at " + address)
			socket.close()


## Fails when a method of a connection cannot be called on another thread.
func test_a_connection_is_read_on_a_thread() -> void:
	await host_here()
	var player := start_joining_player(Noray.oid)
	await oid_of(player)
	await wait_until(func() -> bool: return not multiplayer.get_peers().is_empty(), 5.0)
	var connection := Noray.get_connection(multiplayer.get_peers()[0])
	var methods := ClassDB.class_get_method_list("NorayConnection", true)
	var results: Array = []
	var thread := Thread.new()
	thread.start(func() -> void:
		for method: Dictionary in methods:
			results.append(connection.call(method["name"] as StringName)))
	await wait_until(func() -> bool: return not thread.is_alive(), 5.0)
	thread.wait_to_finish()
	check_equal(results.size(), methods.size())
	for index in results.size():
		var returned: Dictionary = methods[index]["return"]
		check_equal(typeof(results[index]), returned["type"] as int, methods[index]["name"] as String)


## Fails when the handler of a new player cannot get its connection.
func test_the_connection_of_a_player() -> void:
	await host_here()
	var seen: Array[NorayConnection] = []
	multiplayer.peer_connected.connect(
			func(peer_id: int) -> void: seen.append(Noray.get_connection(peer_id)),
			CONNECT_ONE_SHOT
	)
	var player := start_joining_player(Noray.oid)
	await oid_of(player)
	await wait_until(func() -> bool: return not seen.is_empty(), 5.0)
	var connection := seen[0]
	if not check(connection != null, "no connection in the handler"):
		return
	var id := multiplayer.get_peers()[0]
	check(connection.is_alive(), "not alive")
	check_equal(connection.path as int, NorayConnection.Path.DIRECT as int, "the path")
	check_equal(connection.address, HERE, "the address")
	check(Noray.get_connection(1) == null, "a connection to itself")
	talk.say.rpc_id(id, "let go")
	await happens("peer_disconnected %d" % id)
	check(Noray.get_connection(id) == null, "a connection to one who left")
	check(
			await wait_until(func() -> bool: return not connection.is_alive(), 5.0),
			"alive after it left"
	)


## Fails when a second call breaks the first game.
func test_a_second_call() -> void:
	await host_here()
	var oid := Noray.oid
	expect_in_log("cannot host: this player hosts a game")
	check_refused(await Noray.host(here(), 8, options()), ERR_ALREADY_IN_USE, ["hosts a game"])
	expect_in_log("cannot join: this player hosts a game")
	check_refused(await Noray.join("a", here(), options()), ERR_ALREADY_IN_USE, ["hosts a game"])
	check_equal(Noray.oid, oid, "the OpenID")
	await oid_of(start_joining_player(oid))
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	check_equal(events.size(), 1, "players")


## Fails when two calls of the same frame both begin, or one of the awaits hangs.
func test_two_calls_at_once() -> void:
	var first := record(Noray.host(here(), 8, options()))
	expect_in_log("cannot host: a call of host runs")
	var second := record(Noray.host(here(), 8, options()))
	check(await comes(first), "the first came %d times" % first.size())
	check(await comes(second), "the second came %d times" % second.size())
	check(first[0][0] is ENetMultiplayerPeer, "the first is %s" % [first[0]])
	check_equal(second[0][0], null, "the second")


## Fails when a game cannot host again in the frame in which it closed the last.
func test_hosting_again() -> void:
	var peer := await host_here()
	var oid := Noray.oid
	var port := Noray.local_port
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	peer.close()
	await host_here()
	check_equal(Noray.oid, oid, "the OpenID")
	check_equal(Noray.local_port, port, "the registered port")
	await oid_of(start_joining_player(oid))
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	check_equal(events.size(), 1, "players")


## Fails when players still get into a game whose peer is freed.
func test_letting_go() -> void:
	await _host_for_nobody()
	var id := multiplayer.multiplayer_peer.get_instance_id()
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	await wait_frames(1)
	check(not is_instance_id_valid(id), "somebody holds the peer")
	var player := start_joining_player(Noray.oid, {"timeout": 4.0})
	var words := await player.wait_for_line("[child] failed ")
	check(not words.is_empty(), "it joined a game that is over")


## Fails when a game whose peer nobody takes is hosted forever.
func test_a_peer_that_nobody_takes() -> void:
	# Not awaited.
	Noray.host(here(), 8, options())
	check(
			await wait_until(func() -> bool: return Noray.local_port > 0, 5.0), "it did not register"
	)
	await wait_seconds(0.5)
	await host_here()


## Fails when host() repeats what the plain calls have done.
func test_after_the_plain_flow() -> void:
	await join(server.port, server.registrar_port)
	var identity := "%s %d" % [Noray.oid, Noray.local_port]
	await host_here()
	check_equal("%s %d" % [Noray.oid, Noray.local_port], identity)
	check_equal(server.connection_count, 1, "connections")
	await oid_of(start_joining_player(Noray.oid))
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	check_equal(events.size(), 1, "players")


## Fails when the plain calls take the port from a game, or never get it back.
func test_before_the_plain_flow() -> void:
	await host_here()
	expect_in_log("the port belongs to the game")
	check_error(await Noray.register_remote(server.registrar_port), ERR_ALREADY_IN_USE)
	check_message(["port", "host"])
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	check_error(await Noray.register_remote(server.registrar_port), OK)
	var peer := ENetMultiplayerPeer.new()
	check_error(peer.create_server(Noray.local_port), OK, "listening on the registered port")
	peer.close()


## Fails when a game ends because its host leaves the noray server, or connects to another.
func test_the_game_outlives_the_connection() -> void:
	await host_here()
	var player := start_joining_player(Noray.oid)
	await oid_of(player)
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	var id := multiplayer.get_peers()[0]
	Noray.disconnect_from_host()
	talk.say.rpc_id(id, "ping")
	await happens("%d said pong" % id)
	events.clear()
	var other := start_server()
	check_error(await Noray.connect_to_host(HERE, other.port), OK)
	talk.say.rpc_id(id, "ping")
	await happens("%d said pong" % id)
	check(Noray.get_connection(id).is_alive(), "not alive")
	await wait_seconds(1.0)
	talk.say.rpc_id(id, "quit")
	await happens("peer_disconnected %d" % id)
	await check_good_end(player)


## Fails when the number of players is not checked.
func test_how_many_players() -> void:
	for count: int in [0, -1, 4096, 1 << 40]:
		expect_in_log("cannot host: %d is no number of players" % count)
		check_refused(
				await Noray.host(here(), count, options()), ERR_INVALID_PARAMETER, [str(count)]
		)
	check_equal(server.connection_count, 0, "connections")
	var peer := await host_here(4095)
	check(peer != null, "4095 players")


func _host_for_nobody() -> void:
	await host_here()
