extends "res://support/process_suite.gd"
## Games of two processes by the plain flow whose server, or whose host, goes away.

## In seconds, from the start of two processes until they play.
const GAME_LIMIT := 20.0


func _init() -> void:
	time_limit = 60.0


## Fails when a game ends, or prints an error, because its noray server is gone.
func test_a_game_outlives_its_server() -> void:
	var server := start_server()
	var players := await _play(server, "nat", 0, 8)
	server.stop()
	for each in players:
		await each.wait_for_line("[child] lost the server", GAME_LIMIT)
		check("[child] lost the server" in each.output(), "it was not told")
	# They play all rounds.
	for each: Child in [players[1], players[0]]:
		await check_good_end(each, ["the server closed the connection"])
	check("[child] quits" in players[1].output(), "the player did not quit by itself")
	check("[child] the player left" in players[0].output(), "the host did not see it leave")
	var lines := players[1].output()
	var rounds_after := lines.slice(lines.find("[child] lost the server")).count("[child] played")
	check(rounds_after > 1, "%d rounds after the server was gone" % rounds_after)


## Fails when a host cannot quit in mid-game, or its player is not told.
func test_a_host_that_quits() -> void:
	await _check_host_quits("nat")


## Fails when the host's last packets do not go through a relay.
func test_a_host_that_quits_a_relayed_game() -> void:
	await _check_host_quits("relay")


func _check_host_quits(path: String) -> void:
	var server := start_server()
	var players := await _play(server, path, 2, 0)
	check_equal(server.relay_count, 2 if path == "relay" else 0, "relays")
	for each in players:
		await check_good_end(each)
	check("[child] quits" in players[0].output(), "the host did not quit")
	check("[child] the host left" in players[1].output(), "the player was not told")


## Returns a host and a player who have played a round; each quits after so many rounds.
func _play(server: NorayServer, path: String, host_rounds: int, rounds: int) -> Array[Child]:
	var ports: PackedStringArray = [str(server.port), str(server.registrar_port)]
	var host := start_child("plain_player", ports + PackedStringArray([str(host_rounds)]))
	var oid := await host.wait_for_line("[child] oid ", GAME_LIMIT)
	check(not oid.is_empty(), "the host got no OpenID:\n" + "\n".join(host.log_lines()))
	var player := start_child("plain_player", ports + PackedStringArray([str(rounds), oid, path]))
	await player.wait_for_line("[child] played", GAME_LIMIT)
	check(
			"[child] played" in player.output(),
			"they did not play:\n" + "\n".join(player.log_lines() + host.log_lines())
	)
	return [host, player]
