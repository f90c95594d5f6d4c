extends "res://registered.gd"
# The guide's code for a client, as it stands. A line that the guide leaves to the game says so.


func _ready():
	Noray.on_connect_nat.connect(_handle_connect)
	Noray.on_connect_relay.connect(_handle_connect)


func join(oid: String, by_relay: bool):
	if not by_relay:
		# Connect using NAT punchthrough
		Noray.connect_nat(oid)
	else:
		# Or connect using relay
		Noray.connect_relay(oid)


func _handle_connect(address: String, port: int) -> Error:
	# Do a handshake
	var udp = PacketPeerUDP.new()
	udp.bind(Noray.local_port)
	udp.set_dest_address(address, port)

	var err = await PacketHandshake.over_packet_peer(udp)
	udp.close()

	if err != OK:
		return err

	# Connect to host
	var peer = ENetMultiplayerPeer.new()
	err = peer.create_client(address, port, 0, 0, 0, Noray.local_port)

	if err != OK:
		return err

	get_tree().get_multiplayer().multiplayer_peer = peer # left to the game
	return OK
