extends RefCounted
## The handshake of netfox.noray: every 0.1 s it reads what has arrived, then sends one packet; when
## done, it sends a last one, once. Written from the protocol's description.

const PAUSE := 0.1

## The packets sent so far, in order.
var sent: PackedStringArray = []
## The result, once it is over.
var result: Error = ERR_BUSY
var is_over: bool = false


## The joining player's side.
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


## The host's side: it sends blindly, and always until the time-out.
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
