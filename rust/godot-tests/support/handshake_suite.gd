extends "res://support/noray_suite.gd"
## Base of the suites of [code]PacketHandshake[/code]: sockets, and what they receive.


## Returns a socket on a free port of this machine.
func bound() -> PacketPeerUDP:
	var peer := PacketPeerUDP.new()
	check_error(peer.bind(0, HERE), OK, "binding a socket")
	return peer


## Returns two sockets, each with the other as its destination.
func pair() -> Array[PacketPeerUDP]:
	var both: Array[PacketPeerUDP] = [bound(), bound()]
	both[0].set_dest_address(HERE, both[1].get_local_port())
	both[1].set_dest_address(HERE, both[0].get_local_port())
	return both


## Returns the packets that have arrived, as text.
func read(peer: PacketPeerUDP) -> PackedStringArray:
	var texts: PackedStringArray = []
	while peer.get_available_packet_count() > 0:
		texts.append(peer.get_packet().get_string_from_ascii())
	return texts


func send(peer: PacketPeerUDP, text: String) -> void:
	peer.put_packet(text.to_ascii_buffer())


## Sends to [param port] of this machine, which becomes the destination.
func send_to(peer: PacketPeerUDP, port: int, text: String) -> void:
	peer.set_dest_address(HERE, port)
	send(peer, text)


## Returns the number of frames until a recorded call ends; -1 when it does not.
func frames_until_end(pending: Array[Array]) -> int:
	for frame in 600:
		if not pending.is_empty():
			return frame
		await wait_frames(1)
	return -1
