extends "res://support/host_join_suite.gd"
## The connection to the noray server breaks in mid-game, and the server does not notice.

const BreakableProxy := preload("res://support/breakable_proxy.gd")

## In seconds, until a player has connected and registered again.
const AGAIN := 20.0

var _proxy: BreakableProxy


func _init() -> void:
	time_limit = 60.0


func before_each() -> void:
	await super()
	_proxy = BreakableProxy.new(server.port)


func after_each() -> void:
	_proxy.stop()
	super()


## Fails when the host comes back with another OpenID, its game ends, or a friend who was given the
## OpenID before cannot join with it afterwards.
func test_a_host_keeps_its_openid() -> void:
	if not await _host_through_proxy():
		return
	var oid := Noray.oid
	var player := start_joining_player(oid)
	await oid_of(player)
	await wait_until(func() -> bool: return events.size() == 1, 5.0)
	var id := multiplayer.get_peers()[0]
	var changed := record(Noray.oid_changed)
	for times in 2:
		await _break_and_wait()
		check_equal(Noray.oid, oid, "the OpenID after break %d" % (times + 1))
	check_equal(changed, [] as Array[Array], "oid_changed")
	check_equal(server.player_count, 2, "players on the server")
	talk.say.rpc_id(id, "ping")
	await happens("%d said pong" % id)
	var second := start_joining_player(oid)
	await oid_of(second)
	await wait_until(func() -> bool: return multiplayer.get_peers().size() == 2, 10.0)
	check_equal(multiplayer.get_peers().size(), 2, "players in the game")
	check("peer_disconnected %d" % id not in events, "the first was lost")


## Fails when knowing the OpenID is enough to get it, or to take it away from the host.
func test_nobody_else_gets_the_openid() -> void:
	if not await _host_through_proxy():
		return
	var oid := Noray.oid
	var identified := record(Noray.on_pid)
	expect_in_log("Noray: the server closed the connection")
	_proxy.close_connections()
	var thief := StreamPeerTCP.new()
	thief.connect_to_host(HERE, server.port)
	while thief.get_status() == StreamPeerTCP.STATUS_CONNECTING:
		thief.poll()
		await get_tree().process_frame
	var wrong := "x".repeat(Noray.pid.length())
	thief.put_data(("resume-host %s %s\nregister-host\n" % [oid, wrong]).to_utf8_buffer())
	var heard := [""]
	var is_answered := func() -> bool:
		thief.poll()
		heard[0] += thief.get_utf8_string(thief.get_available_bytes())
		return "set-pid" in heard[0]
	await wait_until(is_answered, 5.0)
	var answer: String = heard[0]
	check("set-oid" in answer, "no OpenID of its own: " + answer)
	check(oid not in answer, "it was given the host's OpenID")
	check(await comes(identified, 1, AGAIN), "on_pid came %d times" % identified.size())
	check_equal(Noray.oid, oid, "the host's OpenID")
	thief.disconnect_from_host()


func _host_through_proxy() -> bool:
	var peer: ENetMultiplayerPeer = await Noray.host(
			"%s:%d" % [HERE, _proxy.port], 8, options()
	)
	if not check(peer != null, "not hosted: " + Noray.last_error_message):
		return false
	multiplayer.multiplayer_peer = peer
	return true


func _break_and_wait() -> void:
	var lost := record(Noray.on_disconnect_from_host)
	var identified := record(Noray.on_pid)
	expect_in_log("Noray: the server closed the connection")
	_proxy.close_connections()
	check(await comes(lost), "on_disconnect_from_host came %d times" % lost.size())
	check(await comes(identified, 1, AGAIN), "on_pid came %d times" % identified.size())
