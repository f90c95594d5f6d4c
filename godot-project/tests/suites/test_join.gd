extends "res://tests/support/meeting_suite.gd"
## [code]join[/code], with the host in a process of its own.

## What plain ENet gives a joining player, in this order, when the host speaks in its own handler of
## [signal MultiplayerAPI.peer_connected].
const ARRIVAL: Array[String] = [
	"connected_to_server", "peer_connected 1", "1 said welcome 1", "1 said welcome 2",
	"1 said welcome 3",
]


func _init() -> void:
	time_limit = 60.0


## Fails when the peer is not Godot's own and connected, or the game is not told of the host as
## with plain ENet.
func test_joins_a_host() -> void:
	var oid := await oid_of(start_host())
	var peer := await join_here(oid)
	if peer == null:
		return
	check_equal(peer.get_class(), "ENetMultiplayerPeer")
	check_equal(peer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTED)
	check(multiplayer.get_unique_id() > 1, "the id is %d" % multiplayer.get_unique_id())
	await happens(ARRIVAL[-1])
	check_equal(events, ARRIVAL)
	check_equal(multiplayer.get_peers(), PackedInt32Array([1]))
	talk.say.rpc_id(1, "ping")
	await happens("1 said pong")
	await wait_seconds(0.5)
	check_equal(events.count("connected_to_server"), 1, "connected_to_server")
	check_equal(events.count("peer_connected 1"), 1, "peer_connected")
