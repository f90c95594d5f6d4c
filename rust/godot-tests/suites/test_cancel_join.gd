extends "res://support/host_join_suite.gd"
## [code]cancel_join[/code] at each stage of a join. Each test fails when the await does not end at
## once, with its own [enum Error], or the next join does not work.

const FakeNoray := preload("res://support/fake_noray.gd")
const FakeNoray1 := preload("res://support/fake_noray_1.gd")
const FullServer := preload("res://support/full_server.gd")

const DEAD := "127.0.0.1:9"

var _stages: Array[Array]


func _init() -> void:
	time_limit = 60.0


func before_each() -> void:
	await super()
	_stages = record(Noray.join_progressed)


## Fails when a cancel without a join does anything.
func test_without_a_join() -> void:
	Noray.cancel_join()
	await wait_frames(2)
	var peer := await host_here()
	Noray.cancel_join()
	await wait_frames(2)
	check_equal(peer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTED)
	check_equal(_stages, [] as Array[Array], "stages")


func test_in_the_same_frame() -> void:
	var pending := record(Noray.join("a", here(), options()))
	Noray.cancel_join()
	await _check_cancelled(pending)


func test_in_the_handler_of_the_first_stage() -> void:
	Noray.join_progressed.connect(
			func(_stage: Noray.JoinStage, _message: String) -> void: Noray.cancel_join(),
			CONNECT_ONE_SHOT
	)
	var pending := record(Noray.join("a", here(), options()))
	await _check_cancelled(pending)
	check_equal(_stages.size(), 1, "stages")


func test_while_connecting() -> void:
	var full := FullServer.new()
	await full.fill()
	var pending := record(Noray.join("a", "%s:%d" % [HERE, full.port]))
	await _cancel_at(Noray.JoinStage.CONNECTING)
	await _check_cancelled(pending)


func test_while_registering() -> void:
	var fake := FakeNoray1.new()
	fake.registrar.answer = Callable()
	var pending := record(_join_fake(fake))
	await wait_until(func() -> bool: return not fake.registrar.datagrams.is_empty(), 5.0)
	await _cancel_at(Noray.JoinStage.REGISTERING)
	await _check_cancelled(pending)


func test_while_asking() -> void:
	# It does not answer the echoes around a request either.
	var fake := FakeNoray.new()
	var pending := record(_join_fake(fake))
	await _cancel_at(Noray.JoinStage.ASKING)
	await _check_cancelled(pending)


func test_while_trying() -> void:
	var fake := FakeNoray1.new()
	fake.add_entry("dead", DEAD)
	var pending := record(_join_fake(fake))
	await _cancel_at(Noray.JoinStage.TRYING_DIRECT)
	await _check_cancelled(pending)


func test_while_entering() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	var pending := record(Noray.join(oid, here(), options()))
	await _cancel_at(Noray.JoinStage.ENTERING)
	await _check_cancelled(pending)
	check_equal(_stages[-1][0], Noray.JoinStage.ENTERING as int, "the last stage")


## Fails when what is left of a cancelled join ends the next one.
func test_joining_at_once_after_it() -> void:
	var oid := await oid_of(start_host())
	for round_index in 5:
		var pending := record(Noray.join("dead%d" % round_index, here(), options()))
		Noray.cancel_join()
		check_equal(await _join_and_leave(oid), true, "round %d" % round_index)
		check_equal(pending, [[null]], "the cancelled one")


## Fails when a cancelled join goes on unseen.
func test_a_cancelled_join_enters_no_game() -> void:
	var host := start_host()
	var oid := await oid_of(host)
	var pending := record(Noray.join(oid, here(), options()))
	await wait_until(func() -> bool: return Noray.is_connected_to_host(), 5.0)
	Noray.cancel_join()
	await _check_cancelled(pending)
	await wait_seconds(1.0)
	for line in host.output():
		check(not line.begins_with("[child] peer_connected"), "it is in: " + line)


## Waits for a stage, and cancels in the frame of its handler.
func _cancel_at(stage: Noray.JoinStage) -> void:
	var reached := func() -> bool: return not _stages.is_empty() and _stages[-1][0] == stage
	await wait_until(reached, 10.0)
	check(reached.call() as bool, "stage %d is not among %s" % [stage, _stages])
	Noray.cancel_join()


func _check_cancelled(pending: Array[Array]) -> void:
	check(await comes(pending, 1, 0.5), "it ended %d times" % pending.size())
	check_equal(pending, [[null]], "the result")
	check_error(Noray.last_error, ERR_SKIP)
	check_message(["cancelled"])
	# A second end, or a stage of the cancelled join, would come soon.
	var stages := _stages.size()
	await wait_seconds(0.5)
	check_equal(pending.size(), 1, "ends")
	check_equal(_stages.size(), stages, "stages")


func _join_fake(fake: FakeNoray) -> Signal:
	return Noray.join(
			"dead", "%s:%d" % [HERE, fake.port], {"registrar_port": fake.registrar.port}
	)


func _join_and_leave(oid: String) -> bool:
	var joined := await join_here(oid) != null
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	return joined
