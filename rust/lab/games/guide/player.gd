extends Node
# Plays the guide's host or client by the command line and exchanges a call each way.
#
#     -- --noray <port> --registrar-port <port> --host [--linger <seconds>]
#     -- --noray <port> --registrar-port <port> --join <oid> [--relay]
#
# A host ends when its client has left, after lingering; a client ends when it was answered.

const Host := preload("res://host.gd")
const Client := preload("res://client.gd")

const QUESTION := "who is there?"
const ANSWER := "the host, and who asked is "

## Longer than any honest step; the starter's limit is longer still.
const TIME_LIMIT := 35.0

var _was_asked := false


func _ready() -> void:
	get_tree().create_timer(TIME_LIMIT).timeout.connect(_fail.bind("nothing came"))
	if "--host" in OS.get_cmdline_user_args():
		_play_host()
	else:
		_play_client()


func _play_host() -> void:
	var host := Host.new()
	add_child(host)
	if not await _register(host):
		return
	if not host.start_hosting():
		_fail("no server on port %d" % Noray.local_port)
		return
	multiplayer.peer_disconnected.connect(_on_client_left)
	print("[game] oid ", Noray.oid)


func _on_client_left(_id: int) -> void:
	if not _was_asked:
		_fail("the client left without a word")
		return
	var seconds := _value("--linger").to_float()
	if seconds > 0.0:
		await get_tree().create_timer(seconds).timeout
	print("[game] done")
	get_tree().quit()


func _play_client() -> void:
	var client := Client.new()
	add_child(client)
	multiplayer.connected_to_server.connect(_on_connected)
	multiplayer.connection_failed.connect(_fail.bind("ENet did not connect"))
	if await _register(client):
		client.join(_value("--join"), "--relay" in OS.get_cmdline_user_args())


func _on_connected() -> void:
	var peer := multiplayer.multiplayer_peer as ENetMultiplayerPeer
	print("[game] connected ", peer.get_peer(1).get_remote_port())
	ask.rpc_id(1, QUESTION)


## Asked by the client, at the host.
@rpc("any_peer", "call_remote", "reliable")
func ask(question: String) -> void:
	var id := multiplayer.get_remote_sender_id()
	if question != QUESTION:
		_fail("was asked: " + question)
		return
	_was_asked = true
	print("[game] asked")
	answer.rpc_id(id, ANSWER + str(id))


## Answered by the host, at the client.
@rpc("authority", "call_remote", "reliable")
func answer(text: String) -> void:
	if text != ANSWER + str(multiplayer.get_unique_id()):
		_fail("was answered: " + text)
		return
	print("[game] answered")
	multiplayer.multiplayer_peer.close()
	print("[game] done")
	get_tree().quit()


func _register(guide: Node) -> bool:
	var error: Error = await guide.register_with_noray(
			"127.0.0.1", _value("--noray").to_int(), _value("--registrar-port").to_int()
	)
	if error != OK:
		_fail("not registered: " + error_string(error))
	return error == OK


func _value(name: String) -> String:
	var words := OS.get_cmdline_user_args()
	var index := words.find(name)
	return words[index + 1] if index >= 0 and index + 1 < words.size() else ""


func _fail(why: String) -> void:
	print("[game] FAILED ", why)
	get_tree().quit(1)
