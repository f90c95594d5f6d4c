extends "res://support/handshake_suite.gd"
## [code]PacketHandshake.over_enet[/code] and [code]over_enet_peer[/code]: a host's side.

var _host: ENetMultiplayerPeer
var _port: int = 0
var _clients: Array[ENetMultiplayerPeer] = []


func before_each() -> void:
	_port = _free_port()
	_host = ENetMultiplayerPeer.new()
	check_error(_host.create_server(_port), OK, "hosting")


func after_each() -> void:
	_host.close()
	for client in _clients:
		client.close()
	super()


func _process(_delta: float) -> void:
	for peer: ENetMultiplayerPeer in _clients + [_host]:
		if peer.get_connection_status() != MultiplayerPeer.CONNECTION_DISCONNECTED:
			peer.poll()


## Fails when the other side hears nothing, or other packets than netfox.noray sends.
func test_packets() -> void:
	var other := bound()
	var pending := record(
			PacketHandshake.over_enet(_host.host, HERE, other.get_local_port(), 1.0, 0.2)
	)
	await wait_frames(1)
	check_equal(read(other)[0], "$rwx", "in the next frame")
	await wait_seconds(0.4)
	read(other)
	await wait_seconds(0.45)
	var count := read(other).size()
	check(count >= 2 and count <= 3, "%d packets in 0.45 s" % count)
	# The path may open later, so this is no error.
	await check_ended(pending, OK, "the handshake")


## Fails when the handshake goes on until its time-out although the player is connected, as in
## netfox.noray.
func test_ends_when_the_player_is_connected() -> void:
	for method: String in ["over_enet", "over_enet_peer"]:
		var port := _free_port()
		var pending := _begin(method, port)
		await wait_frames(3)
		check_equal(pending.size(), 0, method + " ended early")
		var connected := record(_host.peer_connected)
		var client := _connect_from(port)
		check(
				await wait_until(func() -> bool: return not connected.is_empty(), 5.0),
				"ENet did not connect"
		)
		var frames := await frames_until_end(pending)
		check(frames >= 0 and frames <= 2, "%s ended %d frames later" % [method, frames])
		await check_ended(pending, OK, method)
		client.close()


## Fails when another player's connection ends this one's handshake.
func test_another_player_is_connected() -> void:
	var other := _connect_from(_free_port())
	await _until_connected(other)
	var target := bound()
	var pending := record(
			PacketHandshake.over_enet(_host.host, HERE, target.get_local_port(), 0.4)
	)
	await wait_seconds(0.25)
	check_equal(pending.size(), 0, "ends")
	check(not read(target).is_empty(), "the target heard nothing")
	await check_ended(pending, OK, "the handshake")
	other.close()


## Fails when the host sends handshakes to a player who is connected already.
func test_a_player_who_is_connected_already() -> void:
	var port := _free_port()
	var client := _connect_from(port)
	await _until_connected(client)
	# The client's goodbye must reach the host.
	await wait_frames(3)
	var pending := _begin("over_enet_peer", port)
	var frames := await frames_until_end(pending)
	check(frames >= 0 and frames <= 2, "it took %d frames" % frames)
	await check_ended(pending, OK, "the handshake")
	client.close()


## Fails when a handshake goes on after the host has closed its game, or floods the log.
func test_closed_meanwhile() -> void:
	var connection := _host.host
	var pending: Array[Array] = [
		record(PacketHandshake.over_enet(connection, HERE, 9)),
		record(PacketHandshake.over_enet_peer(_host, HERE, 9)),
	]
	await wait_frames(3)
	_host.close()
	for each: Array[Array] in pending:
		var frames := await frames_until_end(each)
		check(frames >= 0 and frames <= 3, "it took %d frames" % frames)
		await check_ended(each, ERR_CONNECTION_ERROR, "the handshake")
	# The error messages that were held back must be on again.
	check(Engine.print_error_messages, "Godot's errors are not printed any more")


## Fails when the end of a connection without a game goes unnoticed.
func test_destroyed_meanwhile() -> void:
	var connection := ENetConnection.new()
	connection.create_host_bound(HERE, 0)
	var pending := record(PacketHandshake.over_enet(connection, HERE, 9))
	await wait_frames(3)
	connection.destroy()
	var frames := await frames_until_end(pending)
	check(frames >= 0 and frames <= 2, "it took %d frames" % frames)
	await check_ended(pending, ERR_CONNECTION_ERROR, "the handshake")


## Fails when a handshake over a closed connection crashes, hangs, or makes Godot print an error.
func test_closed_before() -> void:
	var connection := _host.host
	_host.close()
	expect_in_log("no handshake: the connection is destroyed")
	check_error(await PacketHandshake.over_enet(connection, HERE, 9), ERR_CONNECTION_ERROR)
	expect_in_log("no handshake: the connection is destroyed")
	check_error(
			await PacketHandshake.over_enet(ENetConnection.new(), HERE, 9), ERR_CONNECTION_ERROR
	)
	expect_in_log("no handshake: the peer is not connected")
	check_error(await PacketHandshake.over_enet_peer(_host, HERE, 9), ERR_CONNECTION_ERROR)
	expect_in_log("no handshake: the peer is not connected")
	check_error(
			await PacketHandshake.over_enet_peer(ENetMultiplayerPeer.new(), HERE, 9),
			ERR_CONNECTION_ERROR
	)


## Fails when a client that is not connected counts as a host.
func test_a_peer_that_is_still_connecting() -> void:
	var client := ENetMultiplayerPeer.new()
	client.create_client(HERE, _free_port())
	expect_in_log("no handshake: the peer is not connected")
	check_error(await PacketHandshake.over_enet_peer(client, HERE, 9), ERR_CONNECTION_ERROR)
	client.close()


## Fails when nonsense crashes, hangs, or sends packets.
func test_nonsense() -> void:
	for nonsense: Array in [
		["localhost", 9, 8.0, 0.1], ["", 9, 8.0, 0.1], ["1.2.3", 9, 8.0, 0.1],
		[HERE, 0, 8.0, 0.1], [HERE, -1, 8.0, 0.1], [HERE, 65536, 8.0, 0.1],
		[HERE, 9, NAN, 0.1], [HERE, 9, -1.0, 0.1], [HERE, 9, INF, 0.1],
		[HERE, 9, 8.0, NAN], [HERE, 9, 8.0, -1.0], [HERE, 9, 8.0, INF],
	]:
		var address: String = nonsense[0]
		var port: int = nonsense[1]
		var timeout: float = nonsense[2]
		var frequency: float = nonsense[3]
		expect_in_log("no handshake: not an IP address and port, or a bad time")
		check_error(
				await PacketHandshake.over_enet(_host.host, address, port, timeout, frequency),
				ERR_INVALID_PARAMETER,
				str(nonsense)
		)
		expect_in_log("no handshake: not an IP address and port, or a bad time")
		check_error(
				await PacketHandshake.over_enet_peer(_host, address, port, timeout, frequency),
				ERR_INVALID_PARAMETER,
				str(nonsense)
		)
	expect_in_log("no handshake: a null connection")
	check_error(await PacketHandshake.over_enet(null, HERE, 9), ERR_INVALID_PARAMETER)
	expect_in_log("no handshake: a null peer")
	check_error(await PacketHandshake.over_enet_peer(null, HERE, 9), ERR_INVALID_PARAMETER)


## Fails when players who join at the same time delay each other.
func test_several_players_at_once() -> void:
	var ports: PackedInt32Array = []
	var pending: Array[Array] = []
	for index in 4:
		ports.append(_free_port())
		pending.append(_begin("over_enet_peer", ports[index]))
	var clients: Array[ENetMultiplayerPeer] = []
	for port in ports:
		clients.append(_connect_from(port))
	for client in clients:
		await _until_connected(client)
	for each: Array[Array] in pending:
		await check_ended(each, OK, "a handshake")
	for client in clients:
		client.close()


func _begin(method: String, port: int) -> Array[Array]:
	if method == "over_enet":
		return record(PacketHandshake.over_enet(_host.host, HERE, port))
	return record(PacketHandshake.over_enet_peer(_host, HERE, port))


func _connect_from(port: int) -> ENetMultiplayerPeer:
	var client := ENetMultiplayerPeer.new()
	check_error(client.create_client(HERE, _port, 0, 0, 0, port), OK, "a client")
	_clients.append(client)
	return client


func _until_connected(client: ENetMultiplayerPeer) -> void:
	var has_connected := func() -> bool:
		return client.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED
	check(await wait_until(has_connected, 5.0), "ENet did not connect")


func _free_port() -> int:
	var socket := bound()
	var port := socket.get_local_port()
	socket.close()
	return port
