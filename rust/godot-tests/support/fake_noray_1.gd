extends "res://support/fake_noray.gd"
## Acts as noray 1.4.x: no greeting, refusals are silence, [code]echo[/code] comes back in order.
## Relays take a turn of its event loop: their ports come behind the answers to all lines that
## came together with the request.

var _relays: Array[Callable] = []


func _take(from: Link, line: String) -> void:
	super(from, line.trim_suffix("\r"))


func _echo(from: Link, text: String) -> void:
	from.say("echo %s\n" % text)


func _ask_relay(from: Link, oid: String) -> void:
	_relays.append(_connect_relay.bind(from, oid))


func _can_relay(host: Host, client: Host) -> bool:
	return not host.remote.is_empty() and not client.remote.is_empty()


func _end_chunk(_link: Link) -> void:
	var due := _relays
	_relays = []
	for relay: Callable in due:
		relay.call()
