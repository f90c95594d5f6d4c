extends "res://support/fake_noray.gd"
## Acts like noray 1.4.x: it does not greet, refuses with silence, and answers [code]echo[/code] in
## order. A relay takes a turn of its event loop: its port comes after the answers to all lines that
## arrived together with the request.

var _relays: Array[Callable] = []


func _take(from: Connection, line: String) -> void:
	super(from, line.trim_suffix("\r"))


func _echo(from: Connection, text: String) -> void:
	from.say("echo %s\n" % text)


func _ask_relay(from: Connection, oid: String) -> void:
	_relays.append(_connect_relay.bind(from, oid))


func _can_relay(host: Entry, player: Entry) -> bool:
	return not host.registered_address.is_empty() and not player.registered_address.is_empty()


func _end_chunk(_connection: Connection) -> void:
	var due := _relays
	_relays = []
	for relay: Callable in due:
		relay.call()
