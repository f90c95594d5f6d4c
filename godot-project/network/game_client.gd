class_name GameClient
extends Node
## A joining player's part of a [NoraySession]: finds the host, shakes hands, connects.
## If the direct way fails, it takes a relay.

## After a handshake ENet needs two round trips; some packets may be lost. In seconds.
const JOIN_TIMEOUT := 5.0

var host_oid: String = ""
## The way that is being tried, or was taken.
var way := NoraySession.Way.UNKNOWN

var _udp: PacketPeerUDP = null

@onready var _session: NoraySession = get_parent()
@onready var _join_timer: Timer = $JoinTimer


func _ready() -> void:
	multiplayer.connected_to_server.connect(_on_connected)
	multiplayer.connection_failed.connect(_on_way_failed.bind("the host did not let us in"))
	_join_timer.timeout.connect(_on_way_failed.bind("the host does not answer"))


## Asks the noray server for the way to the host; [method shake_hands] goes on from there.
func find(oid: String, wanted_way: NoraySession.Way) -> void:
	host_oid = oid
	way = wanted_way
	_session.set_state(NoraySession.State.FINDING)
	var err: Error
	if way == NoraySession.Way.RELAY:
		_session.say("Asking the noray server for a relay to the host …")
		err = Noray.connect_relay(host_oid)
	else:
		_session.say("Asking the noray server for the direct way to the host …")
		err = Noray.connect_nat(host_oid)
	if err != OK:
		_session.end("%s Check the OpenID." % _session.sentence(Noray.last_error_message))


## Opens the way to the host, from the port that is registered with the noray server.
func shake_hands(address: String, port: int, known_way: NoraySession.Way) -> void:
	if _session.state != NoraySession.State.FINDING or known_way != way:
		return
	_session.set_state(NoraySession.State.SHAKING)
	_session.say("Shaking hands with the host at %s:%d …" % [address, port])
	var attempt := _session.attempt
	_udp = PacketPeerUDP.new()
	var err := _udp.bind(Noray.local_port)
	if err == OK:
		err = _udp.set_dest_address(address, port)
	if err == OK:
		err = await PacketHandshake.over_packet_peer(_udp)
		if attempt != _session.attempt:
			return
	_udp.close()
	# Busy: the host was heard but did not say that it heard us. Worth a try.
	if err == OK or err == ERR_BUSY:
		_join(address, port)
	elif err == ERR_TIMEOUT:
		_on_way_failed("nothing was heard from the host")
	else:
		_on_way_failed("no handshake with the host (%s)" % error_string(err))


func close() -> void:
	_join_timer.stop()
	if _udp != null:
		_udp.close()
	host_oid = ""
	way = NoraySession.Way.UNKNOWN


func _join(address: String, port: int) -> void:
	_session.set_state(NoraySession.State.JOINING)
	_session.say("Joining the game …")
	var peer := ENetMultiplayerPeer.new()
	var err := peer.create_client(address, port, 0, 0, 0, Noray.local_port)
	if err != OK:
		_on_way_failed("UDP port %d cannot be used (%s)" % [Noray.local_port, error_string(err)])
		return
	multiplayer.multiplayer_peer = peer
	_join_timer.start(JOIN_TIMEOUT)


func _on_connected() -> void:
	_join_timer.stop()
	_session.say("You are in the game, connected %s." % _session.way_text(way))
	_session.begin_play()
	_session.link(MultiplayerPeer.TARGET_PEER_SERVER)


func _on_way_failed(cause: String) -> void:
	_join_timer.stop()
	_session.close_peer()
	if way == NoraySession.Way.DIRECT:
		_session.say("The direct way failed: %s. Trying a relay instead." % cause, true)
		find(host_oid, NoraySession.Way.RELAY)
	else:
		_session.end("The relay failed: %s. Is the host still there? Try again." % cause)
