extends "res://support/process_suite.gd"
## Games that quit in the middle of an await. Each test fails when the game does not end, ends with
## another exit code than 0, prints an error, or leaks.

const FakeNoray1 := preload("res://support/fake_noray_1.gd")
const FullServer := preload("res://support/full_server.gd")


func test_connect_to_host() -> void:
	var full := FullServer.new()
	await full.fill()
	await _check_quit("connect_to_host", full.port, 0, ["ended Connection error"])


func test_an_idle_connection() -> void:
	var server := FakeServer.new()
	await _check_quit("connected", server.port)


func test_register_remote() -> void:
	var server := FakeNoray1.new()
	server.registrar.answer = Callable()
	await _check_quit(
			"register_remote", server.port, server.registrar.port, ["ended Connection error"]
	)


func test_on_pid() -> void:
	var server := FakeServer.new()
	await _check_quit("on_pid", server.port, 0, ["ended true"])


func test_on_pid_that_nobody_asked_for() -> void:
	await _check_quit("on_pid_of_nobody")


func test_connect_failed() -> void:
	var server := FakeServer.new()
	await _check_quit("connect_failed", server.port)


func test_over_packet_peer() -> void:
	await _check_quit("over_packet_peer", 0, 9, ["ended Connection error"])


func test_over_enet() -> void:
	await _check_quit("over_enet", 0, _free_port(), ["ended Connection error"])


func test_over_enet_peer() -> void:
	await _check_quit("over_enet_peer", 0, _free_port(), ["ended Connection error"])


func test_lambdas_on_every_signal() -> void:
	var server := FakeServer.new()
	await _check_quit("lambdas", server.port)


func test_a_game_that_tries_again_and_again() -> void:
	var full := FullServer.new()
	await full.fill()
	await _check_quit("retries", full.port)


func test_a_server_with_players() -> void:
	await _check_quit("a_server")


func test_host_while_connecting() -> void:
	var full := FullServer.new()
	await full.fill()
	await _check_quit("host", full.port, 9, ["ended <null>"])


func test_host_while_registering() -> void:
	var server := FakeNoray1.new()
	server.registrar.answer = Callable()
	await _check_quit("host", server.port, server.registrar.port, ["ended <null>"])


func test_join_while_connecting() -> void:
	var full := FullServer.new()
	await full.fill()
	await _check_quit("join", full.port, 9, ["ended <null>"])


func test_join_while_trying() -> void:
	var server := FakeNoray1.new()
	server.add_entry("dead", "127.0.0.1:9")
	await _check_quit("join", server.port, server.registrar.port, ["ended <null>"])


func test_a_host() -> void:
	var server := FakeNoray1.new()
	await _check_quit("hosts", server.port, server.registrar.port, ["ended true"])


func test_a_host_without_a_variable() -> void:
	var server := FakeNoray1.new()
	await _check_quit(
			"hosts_without_a_variable", server.port, server.registrar.port, ["ended true"]
	)


func test_all_at_once() -> void:
	var full := FullServer.new()
	await full.fill()
	await _check_quit("all_at_once", full.port, 9)


func _check_quit(
		mode: String, port: int = 0, other_port: int = 0, said: PackedStringArray = []
) -> void:
	var child := start_child("quitting", [mode, str(port), str(other_port)])
	await check_good_end(child)
	var output := child.output()
	check("[child] quits" in output, "it did not come to its quit")
	for words in said:
		check(("[child] " + words) in output, "it did not say: " + words)


func _free_port() -> int:
	var socket := PacketPeerUDP.new()
	socket.bind(0, HERE)
	var port := socket.get_local_port()
	socket.close()
	return port
