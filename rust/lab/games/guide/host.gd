extends "res://registered.gd"
# The guide's code for a host, as it stands. A line that the guide leaves to the game says so.


func _ready():
	Noray.on_connect_nat.connect(_handle_connect)
	Noray.on_connect_relay.connect(_handle_connect)


func start_hosting():
	var peer = ENetMultiplayerPeer.new()
	var err = peer.create_server(Noray.local_port)
	if err != OK:
		return false # Failed to listen on port

	get_tree().get_multiplayer().multiplayer_peer = peer # left to the game
	return true # left to the game


func _handle_connect(address: String, port: int) -> Error:
	var peer = get_tree().get_multiplayer().multiplayer_peer as ENetMultiplayerPeer
	var err = await PacketHandshake.over_enet(peer.host, address, port)

	if err != OK:
		return err

	return OK
