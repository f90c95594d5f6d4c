extends "res://support/noray_suite.gd"
## The OpenIDs that [code]connect_nat[/code] and [code]connect_relay[/code] accept.


## Fails when what a player typed or pasted reaches the server as another command, or as a broken
## line.
func test_wrong_ones_are_not_sent() -> void:
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	for wrong: String in [
		"", " ", "a b", "\t", "a\tb", "a\nconnect b", "a\r\nb", "a\u200bb", "\u200b",
		"a\u00a0b", "a\u2003b", "a\u2028b", "a\u0085b", "a\u0001b", "a\u007fb",
		"a\"b", "a\\b", "x".repeat(1025), "\u00fc".repeat(513),
	]:
		for method: Callable in [Noray.connect_nat, Noray.connect_relay]:
			expect_in_log("the OpenID ")
			var error: Error = method.call(wrong)
			check_error(error, ERR_INVALID_PARAMETER, method.get_method() + " " + wrong.c_escape())
			check_message(["the OpenID"])
	# The next line shows that nothing was sent before it.
	Noray.connect_nat("right")
	await wait_until(func() -> bool: return "connect right" in server.lines, 5.0)
	check_equal(server.lines, PackedStringArray([
		"echo noray-godot-1", "connect right", "echo noray-godot-2",
	]))


## Fails when what a chat or a text field adds around an OpenID keeps it from being used, or is sent.
func test_what_stands_around_a_pasted_one_is_not_sent() -> void:
	var pasted: PackedStringArray = [
		" a", "a ", "a\n", "\r\na\r\n", "\ta", "\u00a0a", "\u200ba", "a\u200b\n", "\ufeffa\u2060",
	]
	for each in pasted:
		# Requests wait for each other, and this server answers none.
		var server := FakeServer.new()
		if not await connect_to_fake(server):
			return
		check_error(Noray.connect_nat(each), OK, each.c_escape())
		check_error(Noray.connect_relay(each), OK, each.c_escape())
		var came := func() -> bool:
			return "connect a" in server.lines and "connect-relay a" in server.lines
		await wait_until(came, 2.0)
		check("connect a" in server.lines, "%s gave %s" % [each.c_escape(), server.lines])
		check("connect-relay a" in server.lines, "%s gave %s" % [each.c_escape(), server.lines])
		Noray.disconnect_from_host()


## Fails when another server's form of OpenID is refused or changed.
func test_right_ones_are_sent_as_they_are() -> void:
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	var right: PackedStringArray = [
		"V1StGXR8_Z5jdHi6B-myT", "brave-blue-otter", "\u00dcbung-\u65e5\u672c-\U01f980", "-",
		"a:b@c/d?e!f|g.h", "x".repeat(1024),
	]
	for oid in right:
		check_error(Noray.connect_nat(oid), OK, oid.left(30))
		await wait_until(func() -> bool: return ("connect " + oid) in server.lines, 2.0)
		check(("connect " + oid) in server.lines, oid.left(30) + " did not arrive")


## Fails when another fault hides this error.
func test_wrong_ones_without_a_connection() -> void:
	expect_in_log("the OpenID is empty")
	check_error(Noray.connect_nat(""), ERR_INVALID_PARAMETER)
	check_message(["the OpenID is empty"])


## Fails when a PrivateID that a game uses as an OpenID gets into the log.
func test_a_private_id_by_mistake() -> void:
	var server := start_server()
	await join(server.port, server.registrar_port)
	var failed := record(Noray.connect_failed)
	expect_in_log("no direct connection to '…'")
	check_error(Noray.connect_nat(Noray.pid), OK, "sending it")
	check(await comes(failed), "connect_failed came %d times" % failed.size())
	var message: String = failed[0][2]
	check(not message.contains(Noray.pid), "the message shows it")
	check(not Noray.last_error_message.contains(Noray.pid), "last_error_message shows it")
