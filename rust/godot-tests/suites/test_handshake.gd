extends "res://support/handshake_suite.gd"
## [code]PacketHandshake.over_packet_peer[/code]: packets, times, results.


## Fails when two of our players do not finish within a few frames.
func test_both_sides_ours() -> void:
	var both := pair()
	var first := record(PacketHandshake.over_packet_peer(both[0]))
	var second := record(PacketHandshake.over_packet_peer(both[1]))
	var frames := await frames_until_end(first)
	check(frames >= 0 and frames <= 3, "it took %d frames" % frames)
	await check_ended(first, OK, "the first side")
	await check_ended(second, OK, "the second side")


## Fails when one side does not finish because the other began earlier.
func test_one_side_begins_later() -> void:
	var both := pair()
	var first := record(PacketHandshake.over_packet_peer(both[0]))
	await wait_seconds(0.35)
	var second := record(PacketHandshake.over_packet_peer(both[1]))
	await check_ended(first, OK, "the first side")
	await check_ended(second, OK, "the second side")


## Fails when a packet is not what netfox.noray understands, or news is not answered in the next
## frame.
func test_packets_frame_by_frame() -> void:
	var both := pair()
	var other := both[1]
	var pending := record(PacketHandshake.over_packet_peer(both[0], 8.0, 60.0))
	check_equal(read(other), PackedStringArray(["$-w-"]), "within the call")
	for step: Array in [["$-w-", "$rw-"], ["$rw-", "$rwx"]]:
		var said: String = step[0]
		send(other, said)
		await wait_frames(2)
		check_equal(read(other), PackedStringArray([step[1]]), "after " + said)
		await wait_frames(5)
		check_equal(read(other), PackedStringArray(), "without news")
	send(other, "$rwx")
	await wait_frames(2)
	var last := read(other)
	check(last.size() >= 2, "the last packet was sent %d times" % last.size())
	for packet in last:
		check_equal(packet, "$rwx", "the last packet")
	await check_ended(pending, OK, "the handshake")
	await wait_seconds(0.2)
	check_equal(read(other), PackedStringArray(), "after the end")


## Fails when packets repeat faster or slower than the game asked for.
func test_repeats() -> void:
	for frequency: float in [0.1, 0.25]:
		var both := pair()
		check_error(
				await PacketHandshake.over_packet_peer(both[0], 0.6, frequency), ERR_TIMEOUT
		)
		var wanted := int(0.6 / frequency)
		var count := read(both[1]).size()
		check(absi(count - wanted) <= 2, "%d packets each %s s in 0.6 s" % [count, frequency])


## Fails when an interval of 0 is an endless loop: it means one packet a frame.
func test_without_pause() -> void:
	var both := pair()
	var frame := Engine.get_process_frames()
	check_error(await PacketHandshake.over_packet_peer(both[0], 0.3, 0.0), ERR_TIMEOUT)
	var frames := Engine.get_process_frames() - frame
	var count := read(both[1]).size()
	check(absi(count - frames) <= 2, "%d packets in %d frames" % [count, frames])


## Fails when the time-out has another length, or 0 hangs.
func test_nobody_there() -> void:
	for timeout: float in [0.0, 0.3]:
		var both := pair()
		var began := Time.get_ticks_msec()
		check_error(await PacketHandshake.over_packet_peer(both[0], timeout), ERR_TIMEOUT)
		var took := (Time.get_ticks_msec() - began) / 1000.0
		check(took >= timeout and took < timeout + 0.2, "%s s took %s s" % [timeout, took])
		check_equal(read(both[1])[0], "$-w-", "what was sent")


## Fails when a game is not told that it may still try to connect.
func test_half_open_paths() -> void:
	var cases: Dictionary = {
		"$-w-": ERR_BUSY,
		"$---": ERR_BUSY,
		"$-wx": ERR_BUSY,
		"hello": ERR_BUSY,
		# The other side hears us: only its last packet is missing.
		"$rw-": ERR_TIMEOUT,
	}
	for said: String in cases:
		var both := pair()
		var wanted: Error = cases[said]
		var pending := record(
				PacketHandshake.over_packet_peer(
						both[0], 0.3, 0.1, HERE, both[1].get_local_port()
				)
		)
		send(both[1], said)
		await check_ended(pending, wanted, "having heard " + said)


## Fails when foreign packets end the handshake, or the game.
func test_garbage_from_the_other_side() -> void:
	var both := pair()
	var random := RandomNumberGenerator.new()
	random.seed = 2
	var pending := record(PacketHandshake.over_packet_peer(both[0], 8.0))
	for index in 400:
		var garbage: PackedByteArray = []
		garbage.resize(random.randi() % 1400)
		garbage.fill(random.randi() % 256)
		both[1].put_packet(garbage)
		if index % 100 == 99:
			await wait_frames(1)
	for wrong: String in ["", "$", "$rwxx", "$RWX", "rwx$", "$rw", "$xwr"]:
		send(both[1], wrong)
	await wait_frames(3)
	check_equal(pending.size(), 0, "ends")
	send(both[1], "$rwx")
	await check_ended(pending, OK, "the handshake")


## Fails when nonsense crashes, hangs, or is tried.
func test_nonsense() -> void:
	var peer := bound()
	peer.set_dest_address(HERE, 9)
	var cases: Array[Array] = []
	for nonsense: float in [NAN, -0.1, -INF, INF, 1e300, 86401.0]:
		expect_in_log("no handshake: a null peer or a bad time")
		cases.append(record(PacketHandshake.over_packet_peer(peer, nonsense)))
		expect_in_log("no handshake: a null peer or a bad time")
		cases.append(record(PacketHandshake.over_packet_peer(peer, 8.0, nonsense)))
	expect_in_log("no handshake: a null peer or a bad time")
	cases.append(record(PacketHandshake.over_packet_peer(null)))
	for nonsense: Array in [
		["localhost", 80], ["1.2.3", 80], [HERE, 0], [HERE, -1], [HERE, 65536], ["", 80],
	]:
		var address: String = nonsense[0]
		var port: int = nonsense[1]
		expect_in_log("no handshake: not an IP address and port")
		cases.append(record(PacketHandshake.over_packet_peer(peer, 8.0, 0.1, address, port)))
	for index in cases.size():
		var pending: Array[Array] = cases[index]
		await check_ended(pending, ERR_INVALID_PARAMETER, "case %d" % index)


## Fails when a socket that is not open crashes or hangs.
func test_a_socket_that_is_not_bound() -> void:
	expect_in_log("no handshake: the peer is not bound to a port")
	check_error(await PacketHandshake.over_packet_peer(PacketPeerUDP.new()), ERR_UNCONFIGURED)
	var closed := bound()
	closed.close()
	expect_in_log("no handshake: the peer is not bound to a port")
	check_error(await PacketHandshake.over_packet_peer(closed), ERR_UNCONFIGURED)


## Fails when a game that gives up must wait for the time-out.
func test_closed_meanwhile() -> void:
	var both := pair()
	var pending := record(PacketHandshake.over_packet_peer(both[0]))
	await wait_frames(3)
	both[0].close()
	var frames := await frames_until_end(pending)
	check(frames >= 0 and frames <= 2, "it took %d frames" % frames)
	await check_ended(pending, ERR_CONNECTION_ERROR, "the handshake")


## Fails when the socket is still held after the await: the guide closes it, and gives its port to
## ENet in the same frame.
func test_the_port_is_free_at_the_end() -> void:
	var both := pair()
	var port := both[0].get_local_port()
	PacketHandshake.over_packet_peer(both[1])
	check_error(await PacketHandshake.over_packet_peer(both[0]), OK)
	# The game drops its socket without closing it.
	both.clear()
	var peer := ENetMultiplayerPeer.new()
	check_error(peer.create_client(HERE, 9, 0, 0, 0, port), OK, "ENet on the same port")
	peer.close()


## Fails when handshakes of the same frame disturb each other.
func test_many_at_once() -> void:
	var pending: Array[Array] = []
	var sockets: Array[PacketPeerUDP] = []
	for index in 20:
		for socket in pair():
			sockets.append(socket)
			pending.append(record(PacketHandshake.over_packet_peer(socket)))
	for index in pending.size():
		var each: Array[Array] = pending[index]
		await check_ended(each, OK, "side %d" % index)


## Fails when a handshake that begins as another ends is lost.
func test_one_begins_as_another_ends() -> void:
	var first := pair()
	var second := pair()
	PacketHandshake.over_packet_peer(first[1])
	var result := await _one_after_the_other(first[0], second[0], second[1])
	check_error(result, OK)


## Fails when only UDP sockets work: netfox.noray takes every kind.
func test_another_kind_of_peer() -> void:
	var listener := TCPServer.new()
	listener.listen(0, HERE)
	var streams: Array[StreamPeerTCP] = [StreamPeerTCP.new()]
	streams[0].connect_to_host(HERE, listener.get_local_port())
	await wait_until(listener.is_connection_available, 5.0)
	streams.append(listener.take_connection())
	await wait_until(
			func() -> bool:
				streams[0].poll()
				return streams[0].get_status() == StreamPeerTCP.STATUS_CONNECTED,
			5.0
	)
	var pending: Array[Array] = []
	for stream in streams:
		var peer := PacketPeerStream.new()
		peer.stream_peer = stream
		pending.append(record(PacketHandshake.over_packet_peer(peer)))
	for each: Array[Array] in pending:
		await check_ended(each, OK, "over a stream")


## Fails when a paused or slowed game takes longer to connect.
func test_a_paused_game() -> void:
	get_tree().paused = true
	Engine.time_scale = 0.0
	var both := pair()
	var first := record(PacketHandshake.over_packet_peer(both[0]))
	var second := record(PacketHandshake.over_packet_peer(both[1]))
	await check_ended(first, OK, "the first side")
	await check_ended(second, OK, "the second side")


func _one_after_the_other(a: PacketPeerUDP, b: PacketPeerUDP, other: PacketPeerUDP) -> Error:
	var error: Error = await PacketHandshake.over_packet_peer(a)
	check_error(error, OK, "the first")
	PacketHandshake.over_packet_peer(other)
	return await PacketHandshake.over_packet_peer(b)
