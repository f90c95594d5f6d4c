extends "res://support/handshake_suite.gd"
## The handshake with a player on netfox.noray, in both roles: that one looks and answers every
## 0.1 s, and sends its last packet once.

const NetfoxHandshake := preload("res://support/netfox_handshake.gd")


## Fails when either side does not finish, whichever began.
func test_over_packet_peers() -> void:
	for delay: float in [-0.25, -0.05, 0.0, 0.05, 0.25]:
		var both := pair()
		var old := NetfoxHandshake.new()
		if delay <= 0.0:
			old.over_packet_peer(both[1])
			await _pause(-delay)
		var pending := record(PacketHandshake.over_packet_peer(both[0]))
		if delay > 0.0:
			await _pause(delay)
			old.over_packet_peer(both[1])
		await check_ended(pending, OK, "ours, with the old one %s s later" % delay)
		await wait_until(func() -> bool: return old.is_over, 3.0)
		check_error(old.result, OK, "the old one, %s s later" % delay)


## Fails when a host on netfox.noray, which sends blindly, is not believed.
func test_its_host_and_our_player() -> void:
	var ours := bound()
	var host := ENetConnection.new()
	check_error(host.create_host_bound(HERE, 0), OK)
	ours.set_dest_address(HERE, host.get_local_port())
	var pending := record(PacketHandshake.over_packet_peer(ours))
	var old := NetfoxHandshake.new()
	old.over_enet(host, HERE, ours.get_local_port(), 0.3)
	await check_ended(pending, OK, "ours")
	await wait_until(func() -> bool: return old.is_over, 3.0)
	host.destroy()


## Fails when a player on netfox.noray cannot finish with our host.
func test_our_host_and_its_player() -> void:
	var host := ENetMultiplayerPeer.new()
	host.set_bind_ip(HERE)
	check_error(host.create_server(_free_port()), OK)
	var theirs := bound()
	theirs.set_dest_address(HERE, host.host.get_local_port())
	var pending := record(
			PacketHandshake.over_enet_peer(host, HERE, theirs.get_local_port(), 0.5)
	)
	var old := NetfoxHandshake.new()
	old.over_packet_peer(theirs)
	await wait_until(func() -> bool: return old.is_over, 3.0)
	check_error(old.result, OK, "the old one")
	await check_ended(pending, OK, "ours")
	host.close()


func _pause(seconds: float) -> void:
	if seconds > 0.0:
		await wait_seconds(seconds)


func _free_port() -> int:
	var socket := bound()
	var port := socket.get_local_port()
	socket.close()
	return port
