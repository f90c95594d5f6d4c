extends "res://support/host_join_suite.gd"
## [code]join[/code], with the host in a process of its own.

## What a joining player gets by plain ENet, in this order, when the host calls it in its handler of
## [signal MultiplayerAPI.peer_connected].
const ARRIVAL: Array[String] = [
	"connected_to_server", "peer_connected 1", "1 said welcome 1", "1 said welcome 2",
	"1 said welcome 3",
]


func _init() -> void:
	time_limit = 60.0


## Fails when the peer is not Godot's own and connected, or the game is not told of the host as
## with plain ENet.
func test_joins_a_host() -> void:
	var oid := await oid_of(start_host())
	var peer := await join_here(oid)
	if peer == null:
		return
	check_equal(peer.get_class(), "ENetMultiplayerPeer")
	check_equal(peer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTED)
	check(multiplayer.get_unique_id() > 1, "the id is %d" % multiplayer.get_unique_id())
	await _check_arrival()
	check_equal(multiplayer.get_peers(), PackedInt32Array([1]))
	talk.say.rpc_id(1, "ping")
	await happens("1 said pong")
	await wait_seconds(0.5)
	check_equal(events.count("connected_to_server"), 1, "connected_to_server")
	check_equal(events.count("peer_connected 1"), 1, "peer_connected")


## Fails when the host's first calls are lost, or come before the host itself, because the game uses
## the peer late. Tries each moment of a frame, since Godot polls in one of them.
func test_the_peer_is_taken_later() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	for moment: Callable in [
		func() -> void: await get_tree().process_frame,
		func() -> void: await get_tree().physics_frame,
		func() -> void: await get_tree().create_timer(0.05).timeout,
		func() -> void: await create_tween().tween_interval(0.05).finished,
		func() -> void: await get_tree().create_timer(3.0).timeout,
	]:
		events.clear()
		var peer: ENetMultiplayerPeer = await Noray.join(oid, here(), options())
		if not check(peer != null, Noray.last_error_message):
			return
		await moment.call()
		multiplayer.multiplayer_peer = peer
		peer = null
		await _check_arrival()
		var id := multiplayer.get_unique_id()
		multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
		await says(host, "peer_disconnected %d" % id, 5.0)


## Fails when Godot's multiplayer is not told because the game listens to the peer as well.
func test_the_peers_own_signals() -> void:
	var oid := await oid_of(start_host())
	var peer: ENetMultiplayerPeer = await Noray.join(oid, here(), options())
	if not check(peer != null, Noray.last_error_message):
		return
	var own := record(peer.peer_connected)
	await wait_frames(5)
	multiplayer.multiplayer_peer = peer
	await _check_arrival()
	check_equal(own, [[1]], "the peer's own signal")


## Fails when the stages of a join are not told, or in the wrong order.
func test_progress() -> void:
	var oid := await oid_of(start_host())
	var progress := record(Noray.join_progressed)
	await join_here(oid)
	var stages: Array[int] = []
	for emission in progress:
		var stage: int = emission[0]
		var message: String = emission[1]
		stages.append(stage)
		check(not message.is_empty(), "stage %d has no message" % stage)
	check_equal(stages[0], Noray.JoinStage.CONNECTING as int, "the first")
	check_equal(stages[1], Noray.JoinStage.REGISTERING as int, "the second")
	check_equal(stages[2], Noray.JoinStage.ASKING as int, "the third")
	check(Noray.JoinStage.TRYING_DIRECT as int in stages, "it did not try directly: %s" % [stages])
	check_equal(
			stages.slice(-2), [Noray.JoinStage.ENTERING as int, Noray.JoinStage.JOINED as int],
			"the last two"
	)


## Fails when either side cannot show how it is connected.
func test_the_connection() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	check(Noray.get_connection(1) == null, "a connection before there is one")
	await join_here(oid)
	await happens(ARRIVAL[-1])
	var connection := Noray.get_connection(1)
	if not check(connection != null, "no connection"):
		return
	check(connection.is_alive(), "not alive")
	check_equal(connection.path as int, NorayConnection.Path.DIRECT as int, "the path")
	check_equal(connection.address, HERE, "the address")
	check(connection.port > 0 and connection.port != Noray.local_port, str(connection.port))
	check(connection.since >= 0.0 and connection.since < 30.0, "since %s" % connection.since)
	check_equal(connection.loss, 0.0, "loss")
	var packets := connection.packets_sent
	var bytes := connection.bytes_received
	check(packets > 0 and connection.bytes_sent > packets, "nothing was sent")
	check(bytes > 0 and connection.packets_received > 0, "nothing was received")
	talk.say.rpc_id(1, "ping")
	await happens("1 said pong")
	check(connection.packets_sent > packets, "it is not live")
	check(connection.bytes_received > bytes, "it is not live")
	check(
			await wait_until(func() -> bool: return connection.round_trip >= 0.0, 5.0),
			"no round trip"
	)
	check(connection.round_trip < 0.5, "the round trip is %s s" % connection.round_trip)
	check(connection.jitter < 0.5, "the jitter is %s s" % connection.jitter)

	talk.say.rpc_id(1, "connection")
	await happens("1 said %d true" % NorayConnection.Path.DIRECT)
	for nobody: int in [0, 2, -1, 1 << 40]:
		check(Noray.get_connection(nobody) == null, "a connection to %d" % nobody)
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	check(
			await wait_until(func() -> bool: return Noray.get_connection(1) == null, 2.0),
			"a connection after leaving"
	)
	check(
			await wait_until(func() -> bool: return not connection.is_alive(), 5.0),
			"alive after leaving"
	)
	check_equal(connection.address, HERE, "the last address")


## Fails when the host is not told that a player left, or the player cannot come again with the same
## identity and registration.
func test_leaving_and_joining_again() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	var identities: Array[String] = []
	for round_index in 3:
		events.clear()
		if await join_here(oid) == null:
			return
		await _check_arrival()
		identities.append("%s %d" % [Noray.oid, Noray.local_port])
		var id := multiplayer.get_unique_id()
		await says(host, "peer_connected %d" % id)
		multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
		await says(host, "peer_disconnected %d" % id, 5.0)
	check_equal(identities.count(identities[0]), 3, "identities: %s" % [identities])
	check_equal(server.player_count, 2, "players")


## Fails when a player must close one game before it can join the next.
func test_from_one_game_to_another() -> void:
	var first := start_host()
	var second := start_host()
	var oids: Array[String] = [await oid_of(first), await oid_of(second)]
	await join_here(oids[0])
	await _check_arrival()
	var id := multiplayer.get_unique_id()
	events.clear()
	await join_here(oids[1])
	await _check_arrival()
	await says(first, "peer_disconnected %d" % id)
	check(Noray.get_connection(1).is_alive(), "the second is not alive")


## Fails when a player whose game hangs cannot come again at once, or stays in the host's game.
func test_joining_again_while_in() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	await join_here(oid)
	await _check_arrival()
	var id := multiplayer.get_unique_id()
	var first := multiplayer.multiplayer_peer
	events.clear()
	await join_here(oid)
	check_equal(first.get_connection_status(), MultiplayerPeer.CONNECTION_DISCONNECTED, "the first")
	await happens(ARRIVAL[-1])
	check_equal(events.slice(-3), ARRIVAL.slice(-3))
	await says(host, "peer_disconnected %d" % id, 5.0)
	talk.say.rpc_id(1, "ping")
	await happens("1 said pong")


## Fails when the host of a second server is reached later, or by a worse path, than the first's.
func test_from_one_server_to_another() -> void:
	var first := start_host()
	await join_here(await oid_of(first))
	await _check_arrival()
	check_equal(Noray.get_connection(1).path as int, NorayConnection.Path.DIRECT as int)
	var first_server := server
	server = start_server()
	var second := start_host()
	var oid := await oid_of(second)
	events.clear()
	await join_here(oid)
	await _check_arrival()
	check_equal(Noray.get_connection(1).path as int, NorayConnection.Path.DIRECT as int)
	check_equal(first_server.player_count, 1, "players at the first server")


## Fails when players of one host do not see each other.
func test_three_players() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	var other := start_joining_player(oid)
	await oid_of(other)
	await says(other, "heard 1 welcome 3")
	await join_here(oid)
	var id := multiplayer.get_unique_id()
	await says(other, "peer_connected %d" % id)
	await wait_until(func() -> bool: return multiplayer.get_peers().size() == 2, 5.0)
	check_equal(multiplayer.get_peers().size(), 2, "peers")
	for peer in multiplayer.get_peers():
		if peer != 1:
			check(Noray.get_connection(peer) == null, "a connection to another player")
			talk.say.rpc_id(peer, "ping")
			await happens("%d said pong" % peer)


func test_a_host_that_closes() -> void:
	await _check_host_goes("close")


func test_a_host_that_lets_go() -> void:
	await _check_host_goes("let go")


func test_a_host_that_quits() -> void:
	await _check_host_goes("quit")


## Fails when a player is not told at once that the host is gone.
func _check_host_goes(how: String) -> void:
	var host := start_host()
	var oid := await oid_of(host)
	await join_here(oid)
	await _check_arrival()
	var connection := Noray.get_connection(1)
	talk.say.rpc_id(1, how)
	await happens("server_disconnected", 3.0)
	check(
			await wait_until(func() -> bool: return not connection.is_alive(), 5.0),
			"the connection is alive"
	)
	if how == "quit":
		await check_good_end(host)


func _check_arrival() -> void:
	await happens(ARRIVAL[-1])
	check_equal(events, ARRIVAL)
