extends "res://support/handshake_suite.gd"
## Packets count only from the other player's address.

const OtherPlayer := preload("res://support/other_player.gd")


## Fails when a stranger's packet ends a handshake with a named target.
func test_with_a_named_target() -> void:
	var both := pair()
	var stranger := bound()
	var port := both[0].get_local_port()
	var target := both[1].get_local_port()
	var pending := record(PacketHandshake.over_packet_peer(both[0], 8.0, 0.1, HERE, target))
	for turn in 5:
		send_to(stranger, port, "$rwx")
		await wait_frames(2)
	check_equal(pending.size(), 0, "ends by the stranger")
	check("$r" not in "".join(read(both[1])), "the stranger's packets counted as read")
	send(both[1], "$rwx")
	await check_ended(pending, OK, "the handshake")


## Fails when a stranger's packet changes the error of a time-out.
func test_with_nobody_but_a_stranger() -> void:
	var both := pair()
	var stranger := bound()
	send_to(stranger, both[0].get_local_port(), "$-w-")
	var error: Error = await PacketHandshake.over_packet_peer(
			both[0], 0.3, 0.1, HERE, both[1].get_local_port()
	)
	check_error(error, ERR_TIMEOUT)


## Fails when a connected socket, which receives from its target alone, does not work.
func test_over_a_connected_socket() -> void:
	var other := bound()
	var peer := PacketPeerUDP.new()
	peer.connect_to_host(HERE, other.get_local_port())
	var stranger := bound()
	var pending := record(PacketHandshake.over_packet_peer(peer))
	send_to(stranger, peer.get_local_port(), "$rwx")
	await wait_frames(3)
	check_equal(pending.size(), 0, "ends by the stranger")
	send_to(other, peer.get_local_port(), "$rwx")
	await check_ended(pending, OK, "the handshake")


## Fails when, without a named target, noise counts as one, or a second sender as the first.
func test_the_first_that_speaks_the_handshake() -> void:
	var both := pair()
	var stranger := bound()
	var port := both[0].get_local_port()
	var pending := record(PacketHandshake.over_packet_peer(both[0], 8.0, 60.0))
	send_to(stranger, port, "noise")
	await wait_frames(3)
	check_equal(read(both[1]), PackedStringArray(["$-w-"]), "what the target heard at first")
	send(both[1], "$-w-")
	await wait_frames(3)
	send_to(stranger, port, "$rwx")
	await wait_frames(3)
	check_equal(read(both[1]), PackedStringArray(["$rw-"]), "what the target heard then")
	check_equal(pending.size(), 0, "ends by the stranger")
	send(both[1], "$rwx")
	await check_ended(pending, OK, "the handshake")


## Fails when, on the registered port, a packet from an address counts that was not announced.
func test_on_the_registered_port() -> void:
	var server := start_server()
	var other := await _meet(server)
	if other == null:
		return
	var stranger := bound()
	var udp := _on_local_port(other)
	var pending := record(PacketHandshake.over_packet_peer(udp))
	for turn in 3:
		send_to(stranger, Noray.local_port, "$rwx")
		await wait_frames(2)
	check_equal(pending.size(), 0, "ends by the stranger")
	other.udp.set_dest_address(HERE, Noray.local_port)
	send(other.udp, "$rwx")
	await check_ended(pending, OK, "the handshake")
	udp.close()
	other.leave()


## Fails when, in the signal's handler, where the guide calls it, another announced player ends the
## handshake.
func test_in_the_handler_of_on_connect_nat() -> void:
	var server := start_server()
	var first := await _meet(server)
	var second := OtherPlayer.new()
	if first == null or not check(await second.join(server.port, server.registrar_port), "no"):
		return
	var calls: Array[Array] = []
	var sockets: Array[PacketPeerUDP] = []
	Noray.on_connect_nat.connect(
			func(address: String, port: int) -> void:
				var udp := PacketPeerUDP.new()
				udp.bind(Noray.local_port)
				udp.set_dest_address(address, port)
				sockets.append(udp)
				calls.append(record(PacketHandshake.over_packet_peer(udp))),
			CONNECT_ONE_SHOT
	)
	second.say("connect " + Noray.oid)
	await wait_until(func() -> bool: return not calls.is_empty(), 5.0)
	first.udp.set_dest_address(HERE, Noray.local_port)
	for turn in 3:
		send(first.udp, "$rwx")
		await wait_frames(2)
	if check_equal(calls.size(), 1, "handshakes"):
		var pending: Array[Array] = calls[0]
		check_equal(pending.size(), 0, "ends by the other announced player")
		second.udp.set_dest_address(HERE, Noray.local_port)
		send(second.udp, "$rwx")
		await check_ended(pending, OK, "the handshake")
		sockets[0].close()
	first.leave()
	second.leave()


## Fails when an address that one server announced counts at the next.
func test_announced_addresses_are_forgotten() -> void:
	var server := start_server()
	var other := await _meet(server)
	if other == null:
		return
	await join(server.port, server.registrar_port)
	# Nobody is announced: the first sender counts.
	var udp := PacketPeerUDP.new()
	udp.bind(Noray.local_port)
	udp.set_dest_address(HERE, 9)
	var pending := record(PacketHandshake.over_packet_peer(udp))
	send_to(bound(), Noray.local_port, "$rwx")
	await check_ended(pending, OK, "the handshake")
	udp.close()
	other.leave()


## Returns another player whose address the server has announced; null, and a failure, on error.
func _meet(server: NorayServer) -> OtherPlayer:
	await join(server.port, server.registrar_port)
	var other := OtherPlayer.new()
	check(await other.join(server.port, server.registrar_port), "the other did not join")
	var came := record(Noray.on_connect_nat)
	other.say("connect " + Noray.oid)
	if check(await comes(came), "on_connect_nat came %d times" % came.size()):
		return other
	return null


func _on_local_port(target: OtherPlayer) -> PacketPeerUDP:
	var udp := PacketPeerUDP.new()
	check_error(udp.bind(Noray.local_port), OK, "binding the local port")
	udp.set_dest_address(HERE, target.udp.get_local_port())
	return udp
