extends RefCounted
## The handshake as today's clients conduct it: each 0.1 s they look at what came, then send one
## packet; who is done sends a last one, once. Written anew from the protocol's description.

const PAUSE := 0.1

## The packets that went out, in their order.
var sent: PackedStringArray = []
## How it ended.
var result: Error = ERR_BUSY
var is_over: bool = false


## A joining player's side.
func over_packet_peer(peer: PacketPeerUDP, timeout: float = 8.0) -> void:
	var has_read := false
	var is_duplex := false
	result = ERR_TIMEOUT
	var left := timeout
	while left >= 0.0 and result != OK:
		while result != OK and peer.get_available_packet_count() > 0:
			var heard := peer.get_packet().get_string_from_ascii()
			has_read = true
			is_duplex = is_duplex or heard.contains("r")
			if is_duplex and heard.contains("x"):
				result = OK
		var packet := "$%sw%s" % ["r" if has_read else "-", "x" if is_duplex else "-"]
		sent.append(packet)
		peer.put_packet(packet.to_ascii_buffer())
		await _pause()
		left -= PAUSE
	if has_read and not is_duplex:
		result = ERR_BUSY
	is_over = true


## A host's side: it sends blindly, and always for the whole time.
func over_enet(
		connection: ENetConnection, address: String, port: int, timeout: float = 8.0
) -> void:
	var left := timeout
	while left >= 0.0:
		sent.append("$rwx")
		connection.socket_send(address, port, "$rwx".to_ascii_buffer())
		await _pause()
		left -= PAUSE
	result = OK
	is_over = true


func _pause() -> void:
	await (Engine.get_main_loop() as SceneTree).create_timer(PAUSE).timeout
