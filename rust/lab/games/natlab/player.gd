extends Node
# A player of the NAT lab: does what commands tell and answers each with a line.
#
#     -- --control <folder> --flow call|plain [--fps <frames a second>]
#
# The n-th command, counted from 1, is the file <folder>/<n>: a verb, then words or key=value.
# Its answer is the line "[lab] <n> ok …" or "[lab] <n> failed …", with key=value words; a key
# "text" comes last and takes the rest of the line. What happens without being asked for is a
# line "[lab] event …".

## From a join to the host's answer to a call, in seconds. ENet sends again after half a second,
## one second, two and four: with a fifth of the packets lost that is needed now and then.
const ECHO_LIMIT := 15.0

## Sent to every player we are connected with, in each second; 0 is a quiet game.
var _calls_a_second := 0.0
var _calls_due := 0.0

## By player who is here: how many numbered calls went out.
var _sent: Dictionary = {}

## By player who is here: the number of the last call that came in.
var _received: Dictionary = {}

## Calls that came in with another number than the next one.
var _wrong := 0

## Players that left, or hosts that were lost, without this player having closed.
var _lost := 0

var _closing := false
var _echoed := false
var _next_command := 1
var _control := ""

## How this player meets others: `call.gd` or `plain.gd`.
var _flow: Node


func _ready() -> void:
	_control = _value("--control")
	var fps := _value("--fps")
	if not fps.is_empty():
		Engine.max_fps = fps.to_int()
	_flow = (load("res://%s.gd" % _value("--flow")) as GDScript).new()
	add_child(_flow)
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	multiplayer.server_disconnected.connect(_on_server_disconnected)
	print("[lab] ready")


func _process(delta: float) -> void:
	_look_for_a_command()
	if _calls_a_second > 0.0 and _is_connected():
		_calls_due += delta * _calls_a_second
		while _calls_due >= 1.0:
			_calls_due -= 1.0
			_call_everyone()


func _look_for_a_command() -> void:
	var path := _control.path_join(str(_next_command))
	if not FileAccess.file_exists(path):
		return
	var number := _next_command
	_next_command += 1
	var words := FileAccess.get_file_as_string(path).strip_edges().split(" ", false)
	var answer: String = await _do(words)
	print("[lab] %d %s" % [number, answer])
	if words[0] == "quit":
		get_tree().quit()


func _do(words: PackedStringArray) -> String:
	match words[0]:
		"host":
			return await _host(words[1], words[2].to_int())
		"join":
			return await _join(words[1], words[2], _options(words.slice(3)))
		"joins":
			return await _join_often(words[1], words[2], words[3].to_int())
		"leave", "quit":
			await _leave()
			return "ok"
		"calls":
			_calls_a_second = words[1].to_float()
			return "ok"
		"count":
			return _count()
		"connection":
			return _flow.call("describe", words[1].to_int())
		"oid":
			return "ok oid=" + Noray.oid
		"close_noray":
			Noray.disconnect_from_host()
			return "ok"
	return "failed text=unknown command " + words[0]


func _host(noray: String, max_clients: int) -> String:
	var before := Time.get_ticks_usec()
	var peer: MultiplayerPeer = await _flow.call("host", noray, max_clients)
	var taken := Time.get_ticks_usec() - before
	if peer == null:
		return _failed(taken)
	multiplayer.multiplayer_peer = peer
	return "ok usec=%d oid=%s" % [taken, Noray.oid]


func _join(noray: String, oid: String, options: Dictionary) -> String:
	var before := Time.get_ticks_usec()
	var peer: MultiplayerPeer = await _flow.call("join", noray, oid, options)
	var taken := Time.get_ticks_usec() - before
	if peer == null:
		return _failed(taken)
	multiplayer.multiplayer_peer = peer
	# The first call goes out when the host is known, which is in the frame of the connection.
	var until := Time.get_ticks_msec() + roundi(ECHO_LIMIT * 1000.0)
	while not _is_connected() and Time.get_ticks_msec() < until:
		await get_tree().process_frame
	_echoed = false
	if _is_connected():
		ask.rpc_id(1)
	while not _echoed and Time.get_ticks_msec() < until:
		await get_tree().process_frame
	if not _echoed:
		await _leave()
		return "failed usec=%d code=-1 text=joined, but a call to the host is not answered" % taken
	var described: String = _flow.call("describe", 1)
	return "ok usec=%d id=%d %s" % [
		taken, multiplayer.get_unique_id(), described.trim_prefix("ok ")
	]


func _join_often(noray: String, oid: String, count: int) -> String:
	var times := PackedInt64Array()
	for round_number in count:
		var answer: String = await _join(noray, oid, {})
		if not answer.begins_with("ok "):
			print("[lab] event joins end")
			return "failed round=%d %s" % [round_number, answer.trim_prefix("failed ")]
		times.append(answer.get_slice("usec=", 1).get_slice(" ", 0).to_int())
		await _leave()
		if (round_number + 1) % 100 == 0:
			print("[lab] event joins %d" % (round_number + 1))
	times.sort()
	@warning_ignore("integer_division")
	var middle := times[times.size() / 2]
	@warning_ignore("integer_division")
	var late := times[times.size() * 99 / 100]
	return "ok median=%d p99=%d max=%d" % [middle, late, times[-1]]


## Closes the connection as a game does, and lets the other side see it.
func _leave() -> void:
	_closing = true
	var peer := multiplayer.multiplayer_peer
	if peer is ENetMultiplayerPeer:
		peer.close()
	multiplayer.multiplayer_peer = null
	_sent.clear()
	_received.clear()
	await get_tree().process_frame
	_closing = false


func _failed(taken: int) -> String:
	return "failed usec=%d %s" % [taken, _flow.call("describe_failure")]


func _is_connected() -> bool:
	var peer := multiplayer.multiplayer_peer
	return (
			peer is ENetMultiplayerPeer
			and peer.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED
			and (multiplayer.is_server() or 1 in multiplayer.get_peers())
	)


func _count() -> String:
	var sent := 0
	var received := 0
	for number: int in _sent.values():
		sent += number
	for number: int in _received.values():
		received += number
	return "ok players=%d sent=%d received=%d wrong=%d lost=%d" % [
		multiplayer.get_peers().size() if _is_connected() else 0, sent, received, _wrong, _lost
	]


func _call_everyone() -> void:
	if multiplayer.is_server():
		for id in multiplayer.get_peers():
			_call_next(id)
	else:
		_call_next(1)


func _call_next(id: int) -> void:
	var number: int = _sent.get(id, 0) + 1
	_sent[id] = number
	numbered.rpc_id(id, number)


## One of the calls that come all the time; none may be missing, doubled or out of order.
@rpc("any_peer", "call_remote", "reliable")
func numbered(number: int) -> void:
	var id := multiplayer.get_remote_sender_id()
	var last: int = _received.get(id, 0)
	if number != last + 1:
		_wrong += 1
		print("[lab] event wrong call %d after %d from %d" % [number, last, id])
	_received[id] = number


## Asked by a player that has joined.
@rpc("any_peer", "call_remote", "reliable")
func ask() -> void:
	answer.rpc_id(multiplayer.get_remote_sender_id())


## The host's answer.
@rpc("authority", "call_remote", "reliable")
func answer() -> void:
	_echoed = true


func _on_peer_connected(id: int) -> void:
	_sent.erase(id)
	_received.erase(id)
	print("[lab] event came %d" % id)


func _on_peer_disconnected(id: int) -> void:
	_sent.erase(id)
	_received.erase(id)
	print("[lab] event left %d" % id)


func _on_server_disconnected() -> void:
	if not _closing:
		_lost += 1
		print("[lab] event lost the host")


func _options(words: PackedStringArray) -> Dictionary:
	var options := {}
	for word in words:
		options[word.get_slice("=", 0)] = str_to_var(word.get_slice("=", 1))
	return options


func _value(option: String) -> String:
	var words := OS.get_cmdline_user_args()
	var index := words.find(option)
	return words[index + 1] if index >= 0 and index + 1 < words.size() else ""
