extends "res://support/noray_suite.gd"
## [code]connect_nat[/code] and [code]connect_relay[/code] at our own server.

const OtherPlayer := preload("res://support/other_player.gd")

var _server: NorayServer
var _failed: Array[Array]


func before_each() -> void:
	_server = start_server()
	_failed = record(Noray.connect_failed)


## Fails when either side is not told the other's address.
func test_direct() -> void:
	var other := await _join_with_other()
	var came := record(Noray.on_connect_nat)
	check_error(Noray.connect_nat(other.oid), OK)
	check(await comes(came), "on_connect_nat came %d times" % came.size())
	check_equal(came, [[HERE, other.udp.get_local_port()]], "on_connect_nat")
	check_equal(await other.wait_for("connect"), "%s:%d" % [HERE, Noray.local_port])
	await _no_failure()


## Fails when the ports are not the relays', or the address is not the server's.
func test_by_relay() -> void:
	var other := await _join_with_other()
	var came := record(Noray.on_connect_relay)
	check_error(Noray.connect_relay(other.oid), OK)
	if not check(await comes(came), "on_connect_relay came %d times" % came.size()):
		return
	var our_port: int = came[0][1]
	var their_port := (await other.wait_for("connect-relay")).to_int()
	check_equal(came[0][0], HERE, "the address")
	check_equal(_server.relay_count, 2, "relays")

	var udp := PacketPeerUDP.new()
	udp.bind(Noray.local_port)
	udp.set_dest_address(HERE, our_port)
	udp.put_packet("over the relay".to_utf8_buffer())
	await wait_until(func() -> bool: return other.udp.get_available_packet_count() > 0, 5.0)
	check_equal(other.udp.get_packet().get_string_from_utf8(), "over the relay")
	check_equal(other.udp.get_packet_port(), their_port, "the port it came from")
	udp.close()
	await _no_failure()


## Fails when a host is not told of the players who come.
func test_connects_that_nobody_asked_for() -> void:
	var other := await _join_with_other()
	var direct := record(Noray.on_connect_nat)
	var relayed := record(Noray.on_connect_relay)
	var commands := record(Noray.on_command)
	other.say("connect " + Noray.oid)
	other.say("connect-relay " + Noray.oid)
	check(await comes(relayed), "on_connect_relay came %d times" % relayed.size())
	check_equal(direct, [[HERE, other.udp.get_local_port()]], "on_connect_nat")
	check_equal(commands.size(), 2, "commands")
	check_equal(commands[0], ["connect", "%s:%d" % [HERE, other.udp.get_local_port()]])
	check_equal(commands[1], ["connect-relay", str(relayed[0][1])])
	await _no_failure()


## Fails when the second of the two lines is misread.
func test_own_open_id() -> void:
	await join(_server.port, _server.registrar_port)
	var came := record(Noray.on_connect_nat)
	Noray.connect_nat(Noray.oid)
	check(await comes(came, 2), "on_connect_nat came %d times" % came.size())
	check_equal(came, [[HERE, Noray.local_port], [HERE, Noray.local_port]])
	await _no_failure()


## Fails when open requests are mixed up.
func test_many_at_once() -> void:
	await join(_server.port, _server.registrar_port)
	var others: Array[OtherPlayer] = []
	for index in 3:
		var other := OtherPlayer.new()
		check(await other.join(_server.port, _server.registrar_port), "another did not join")
		others.append(other)
	var direct := record(Noray.on_connect_nat)
	var relayed := record(Noray.on_connect_relay)
	for other in others:
		Noray.connect_nat(other.oid)
		Noray.connect_relay(other.oid)
	for missing: String in ["nobody", "no-one"]:
		expect_in_log("no direct connection to '%s'" % missing)
		expect_in_log("no relay to '%s'" % missing)
		Noray.connect_nat(missing)
		Noray.connect_relay(missing)
	others[0].say("connect " + Noray.oid)
	check(await comes(direct, 4), "on_connect_nat came %d times" % direct.size())
	check(await comes(relayed, 3), "on_connect_relay came %d times" % relayed.size())
	check(await comes(_failed, 4), "connect_failed came %d times" % _failed.size())
	var told: Array[String] = []
	for emission in _failed:
		check_equal(emission[1], ERR_DOES_NOT_EXIST as int, str(emission))
		told.append(emission[0])
	told.sort()
	check_equal(told, ["no-one", "no-one", "nobody", "nobody"] as Array[String])
	for other in others:
		check_equal(
				direct.count([HERE, other.udp.get_local_port()]), 2 if other == others[0] else 1
		)


## Fails when the game cannot tell a wrong OpenID from anything else.
func test_refused_no_such_player() -> void:
	await join(_server.port, _server.registrar_port)
	await _check_refusal(Noray.connect_nat, "no-such-player", ERR_DOES_NOT_EXIST, "no player")
	await _check_refusal(Noray.connect_relay, "no-such-player", ERR_DOES_NOT_EXIST, "no player")


## Fails when a host that has not registered looks like one that is not there.
func test_refused_host_without_address() -> void:
	await join(_server.port, _server.registrar_port)
	var other := OtherPlayer.new()
	await other.connect_to(_server.port)
	other.say("register-host")
	var oid := await other.wait_for("set-oid")
	await _check_refusal(Noray.connect_nat, oid, ERR_UNAVAILABLE, "the host has not registered")
	await _check_refusal(Noray.connect_relay, oid, ERR_UNAVAILABLE, "the host has not registered")


## Fails when the error of a player who has not registered blames the host.
func test_refused_player_without_address() -> void:
	var other := OtherPlayer.new()
	await other.join(_server.port, _server.registrar_port)
	await get_identity(_server.port)
	for method: Callable in [Noray.connect_nat, Noray.connect_relay]:
		await _check_refusal(method, other.oid, ERR_UNAUTHORIZED, "this player has not registered")


## Fails when a player without an identity waits for an answer.
func test_refused_player_without_ids() -> void:
	var other := OtherPlayer.new()
	await other.join(_server.port, _server.registrar_port)
	await connect_to(_server.port)
	for method: Callable in [Noray.connect_nat, Noray.connect_relay]:
		await _check_refusal(method, other.oid, ERR_UNAUTHORIZED, "has not asked for an OpenID")


## Fails when a server without a free relay looks like a broken one.
func test_refused_no_relay_left() -> void:
	var server := NorayServer.new()
	check_error(server.start(0, 0, "28200", HERE), OK)
	await join(server.port, server.registrar_port)
	var other := OtherPlayer.new()
	await other.join(server.port, server.registrar_port)
	await _check_refusal(Noray.connect_relay, other.oid, ERR_BUSY, "no free relay")


## Fails when a game that asks in a loop is not told why nothing comes.
func test_refused_too_many() -> void:
	await join(_server.port, _server.registrar_port)
	const COUNT := 45
	for index in COUNT:
		expect_in_log("no direct connection to 'x%d'" % index)
		check_error(Noray.connect_nat("x%d" % index), OK)
	check(await comes(_failed, COUNT), "connect_failed came %d times" % _failed.size())
	var busy := 0
	for emission in _failed:
		busy += 1 if emission[1] == ERR_BUSY else 0
	check(busy > 0 and busy < COUNT, "%d of them were too many" % busy)
	check_message(["asks too often"])


## Fails when a host that has left is still announced.
func test_a_host_that_left() -> void:
	var other := await _join_with_other()
	var count := _server.player_count
	other.leave()
	await wait_until(func() -> bool: return _server.player_count < count, 5.0)
	await _check_refusal(Noray.connect_nat, other.oid, ERR_DOES_NOT_EXIST, "no player")


## Fails when a handler cannot call back at once.
func test_calls_in_handlers() -> void:
	var other := await _join_with_other()
	var relayed := record(Noray.on_connect_relay)
	var result: Array[Error] = []
	Noray.connect_failed.connect(
			func(_oid: String, _error: Error, _message: String) -> void:
				result.append(Noray.connect_relay(other.oid)),
			CONNECT_ONE_SHOT
	)
	expect_in_log("no direct connection to 'nobody'")
	Noray.connect_nat("nobody")
	check(await comes(relayed), "on_connect_relay came %d times" % relayed.size())
	check_equal(result, [OK] as Array[Error])


## Fails when events of a connection are told after a handler has left it.
func test_leaving_in_a_handler() -> void:
	var other := await _join_with_other()
	var commands := record(Noray.on_command)
	var direct := record(Noray.on_connect_nat)
	Noray.on_connect_nat.connect(
			func(_address: String, _port: int) -> void: Noray.disconnect_from_host(),
			CONNECT_ONE_SHOT
	)
	Noray.connect_nat(other.oid)
	Noray.connect_nat("nobody")
	await comes(direct)
	await wait_seconds(0.2)
	check_equal([direct.size(), commands.size(), _failed.size()], [1, 0, 0])


func _join_with_other() -> OtherPlayer:
	await join(_server.port, _server.registrar_port)
	var other := OtherPlayer.new()
	check(await other.join(_server.port, _server.registrar_port), "the other did not join")
	return other


func _check_refusal(method: Callable, oid: String, wanted: Error, words: String) -> void:
	_failed.clear()
	expect_in_log(words)
	var error: Error = method.call(oid)
	check_error(error, OK, method.get_method())
	if not check(await comes(_failed), "connect_failed came %d times" % _failed.size()):
		return
	check_equal(_failed[0][0], oid, "the OpenID")
	var reason: Error = _failed[0][1]
	check_error(reason, wanted, method.get_method())
	var message: String = _failed[0][2]
	check(message.contains(words) and message.contains(oid), message)
	check_equal(Noray.last_error_message, message)


func _no_failure() -> void:
	await wait_seconds(0.2)
	check_equal(_failed, [] as Array[Array], "connect_failed")
