extends "res://support/noray_suite.gd"
## Servers that do not answer, and connections that end while requests wait.

const FULL_TIMEOUT := 0.4

var _failed: Array[Array]


func before_each() -> void:
	_failed = record(Noray.connect_failed)
	ProjectSettings.set_setting(ANSWER_TIMEOUT, FULL_TIMEOUT)


## Fails when a request to a server without [code]echo[/code] waits forever, or ends twice.
func test_each_request_times_out_once() -> void:
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	var began := Time.get_ticks_msec()
	for oid: String in ["a", "b"]:
		expect_in_log("no direct connection to '%s': the server did not answer" % oid)
		expect_in_log("no relay to '%s': the server did not answer" % oid)
		Noray.connect_nat(oid)
		Noray.connect_relay(oid)
	check(await comes(_failed, 4), "connect_failed came %d times" % _failed.size())
	var took := (Time.get_ticks_msec() - began) / 1000.0
	check(took > FULL_TIMEOUT - 0.05 and took < 2.5 * FULL_TIMEOUT, "it took %s s" % took)
	for emission in _failed:
		check_equal(emission[1], ERR_TIMEOUT as int, str(emission))
	check_message(["did not answer within 0.4 s"])
	check(Noray.is_connected_to_host(), "disconnected")
	await wait_seconds(FULL_TIMEOUT + 0.2)
	check_equal(_failed.size(), 4, "connect_failed, later")


## Fails when an answer that comes after the time-out is lost.
func test_an_answer_that_is_too_late() -> void:
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	expect_in_log("no direct connection to 'a'")
	Noray.connect_nat("a")
	check(await comes(_failed), "connect_failed came %d times" % _failed.size())
	var direct := record(Noray.on_connect_nat)
	server.say("connect 10.0.0.1:1001\n")
	check(await comes(direct), "on_connect_nat came %d times" % direct.size())
	check_equal(_failed.size(), 1, "connect_failed, at the end")


## Fails when a game that has left is told how its requests ended.
func test_leaving_meanwhile() -> void:
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	Noray.connect_nat("a")
	Noray.disconnect_from_host()
	await wait_seconds(FULL_TIMEOUT + 0.2)
	check_equal(_failed, [] as Array[Array], "connect_failed")


## Fails when endless requests use endless memory.
func test_too_many_at_once() -> void:
	# So long that on a busy machine no request ends, and makes room, before the last is sent.
	ProjectSettings.set_setting(ANSWER_TIMEOUT, 2.5)
	var server := FakeServer.new()
	if not await connect_to_fake(server):
		return
	const COUNT := 700
	var refused := 0
	for index in COUNT:
		var error := Noray.connect_nat("x%d" % index)
		if error == ERR_BUSY:
			refused += 1
			expect_in_log("too many commands wait")
		else:
			check_error(error, OK)
			expect_in_log("no direct connection to 'x%d'" % index)
		if index % 200 == 199:
			await wait_frames(3)
	await comes(_failed, COUNT - refused)
	check_equal(_failed.size(), COUNT - refused, "connect_failed")
	var busy := 0
	for emission in _failed:
		busy += 1 if emission[1] == ERR_BUSY else 0
	check(busy >= COUNT - refused - 256, "%d of them waited" % (COUNT - refused - busy))
