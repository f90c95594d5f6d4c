extends "res://support/host_join_suite.gd"
## The noray server dies in the middle of a game that [code]host[/code] and [code]join[/code]
## began, and comes back.

## Until a player has noticed, connected and registered again.
const AGAIN := 20.0


func _init() -> void:
	time_limit = 90.0


## Fails when a game ends with its server, or the host has another OpenID afterwards or cannot be
## joined with it.
func test_a_host_whose_server_restarts() -> void:
	await host_here()
	var player := start_joining_player(Noray.oid)
	await oid_of(player)
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	var id := multiplayer.get_peers()[0]
	var old := Noray.oid
	var changed := record(Noray.oid_changed)
	var lost := record(Noray.on_disconnect_from_host)
	var back := record(Noray.on_connect_to_host)
	expect_in_log("Noray: the server closed the connection")
	var ports: Array[int] = [server.port, server.registrar_port]
	server.stop()
	check(await comes(lost), "on_disconnect_from_host came %d times" % lost.size())
	check(not Noray.is_connected_to_host(), "connected")
	await wait_seconds(1.0)
	talk.say.rpc_id(id, "ping")
	await happens("%d said pong" % id)

	server = NorayServer.new()
	check_error(server.start(ports[0], ports[1], RELAY_PORTS, HERE), OK, "starting it again")
	check(await comes(back, 1, AGAIN), "on_connect_to_host came %d times" % back.size())
	var is_ready := func() -> bool: return not Noray.oid.is_empty() and server.player_count >= 1
	await wait_until(is_ready, AGAIN)
	await wait_seconds(1.0)
	check_equal(Noray.oid, old, "the OpenID")
	check_equal(changed, [] as Array[Array], "oid_changed")
	var second := start_joining_player(Noray.oid)
	await oid_of(second)
	await wait_until(func() -> bool: return multiplayer.get_peers().size() == 2, 10.0)
	check_equal(multiplayer.get_peers().size(), 2, "players")
	check("peer_disconnected %d" % id not in events, "the first was lost")


## Fails when a relayed game, whose relays are gone with the server, is not relayed again before
## ENet gives up.
func test_a_relayed_game_whose_server_restarts() -> void:
	await host_here()
	var player := start_joining_player(Noray.oid, {"force_relay": true})
	await oid_of(player)
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	var id := multiplayer.get_peers()[0]
	check_equal(Noray.get_connection(id).path, NorayConnection.RELAY, "the path")
	expect_in_log("Noray: the server closed the connection")
	var ports: Array[int] = [server.port, server.registrar_port]
	server.stop()
	check_error(server.start(ports[0], ports[1], RELAY_PORTS, HERE), OK, "starting it again")
	talk.say.rpc_id(id, "ping")
	await happens("%d said pong" % id, AGAIN)
	check_equal(multiplayer.get_peers(), PackedInt32Array([id]), "players")
	check("peer_disconnected %d" % id not in events, "the player was lost")


## Fails when another server in its place is not told of as another OpenID.
func test_a_host_whose_server_is_another() -> void:
	var fake := preload("res://support/fake_noray_1.gd").new()
	var peer: ENetMultiplayerPeer = await Noray.host(
			"%s:%d" % [HERE, fake.port], 8, {"registrar_port": fake.registrar.port}
	)
	if not check(peer != null, Noray.last_error_message):
		return
	multiplayer.multiplayer_peer = peer
	var old := Noray.oid
	var registered := fake.registrar.datagrams.size()
	var port := Noray.local_port
	var changed := record(Noray.oid_changed)
	expect_in_log("Noray: the server closed the connection")
	fake.close_connections()
	check(await comes(changed, 1, AGAIN), "oid_changed came %d times" % changed.size())
	check(Noray.oid != old, "the OpenID is the same")
	check_equal(changed, [[Noray.oid]])
	check_equal(Noray.local_port, port, "the registered port")
	check(fake.registrar.datagrams.size() > registered, "it did not register again")
	check(Noray.is_connected_to_host(), "not connected")


## Fails when a player who is in loses the game with the server.
func test_a_player_whose_server_goes() -> void:
	var host := start_host()
	await join_here(await oid_of(host))
	await happens("1 said welcome 3")
	expect_in_log("Noray: the server closed the connection")
	server.stop()
	await wait_seconds(2.0)
	talk.say.rpc_id(1, "ping")
	await happens("1 said pong")
	check(Noray.get_connection(1).is_alive(), "not alive")
	check("server_disconnected" not in events, "disconnected")


## Fails when a player without a game tries for ever to reach a server that is gone.
func test_no_game_no_reconnecting() -> void:
	var peer := await host_here()
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	peer.close()
	await wait_seconds(1.5)
	var connected := record(Noray.on_connect_to_host)
	var lost := record(Noray.on_disconnect_from_host)
	expect_in_log("Noray: the server closed the connection")
	var ports: Array[int] = [server.port, server.registrar_port]
	server.stop()
	check(await comes(lost), "on_disconnect_from_host came %d times" % lost.size())
	server = NorayServer.new()
	check_error(server.start(ports[0], ports[1], RELAY_PORTS, HERE), OK, "starting it again")
	await wait_seconds(3.0)
	check_equal(connected, [] as Array[Array], "on_connect_to_host")
