extends "res://support/fake_server.gd"
## What both generations of the public server have in common: identities, a registrar, requests.

const FakeRegistrar := preload("res://support/fake_registrar.gd")

## The port of the first relay.
const FIRST_RELAY_PORT := 50100

var registrar: FakeRegistrar = FakeRegistrar.new()
## A player in each, in the order in which they came.
var entries: Array[Entry] = []

## What the server says in the next frame.
var _later: Array[Callable] = []
var _last_relay_port: int = FIRST_RELAY_PORT - 1


func _init() -> void:
	super()
	registrar.answer = _register


## Adds a player that is not connected. Its address is empty if it has not registered.
func add_entry(oid: String, registered_address: String) -> Entry:
	var entry := Entry.new()
	entry.oid = oid
	entry.pid = "private-" + oid
	entry.registered_address = registered_address
	entries.append(entry)
	return entry


func _begin_frame() -> void:
	var due := _later
	_later = []
	for each: Callable in due:
		each.call()


func _take(from: Connection, line: String) -> void:
	var command := line.get_slice(" ", 0)
	var data := line.trim_prefix(command).trim_prefix(" ")
	match command:
		"register-host":
			_give_ids(from)
		"connect":
			_connect(from, data)
		"connect-relay":
			_ask_relay(from, data)
		"echo":
			_echo(from, data)


## In two writes, which arrive one after the other.
func _give_ids(to: Connection) -> void:
	var entry := add_entry("oid%d" % (entries.size() + 1), "")
	entry.connection = to
	to.say("set-oid %s\n" % entry.oid)
	_later.append(func() -> void: to.say("set-pid %s\n" % entry.pid))


func _connect(from: Connection, oid: String) -> void:
	var host := _find(oid)
	var player := _find_by_connection(from)
	if host == null:
		_refuse(from, "connect", "Error: Unknown host oid: " + oid)
	elif host.registered_address.is_empty():
		_refuse(from, "connect", "Error: Host has no remote address registered!")
	elif player == null or player.registered_address.is_empty():
		_refuse(from, "connect", "Error: Client has no remote address registered!")
	else:
		from.say("connect %s\n" % host.registered_address)
		_tell(host, "connect %s\n" % player.registered_address)


func _ask_relay(from: Connection, oid: String) -> void:
	_connect_relay(from, oid)


func _connect_relay(from: Connection, oid: String) -> void:
	var host := _find(oid)
	var player := _find_by_connection(from)
	if host == null:
		_refuse(from, "connect-relay", "Error: Unknown host oid: " + oid)
	elif player == null:
		_refuse(from, "connect-relay", "Error: Unknown client from address")
	elif not _can_relay(host, player):
		_refuse(from, "connect-relay", "")
	else:
		from.say("connect-relay %d\n" % _relay_of(host))
		_tell(host, "connect-relay %d\n" % _relay_of(player))


## Generation 2 gives a relay even to players that have not registered.
func _can_relay(_host: Entry, _player: Entry) -> bool:
	return true


func _echo(_from: Connection, _text: String) -> void:
	pass


func _refuse(_from: Connection, _command: String, _text: String) -> void:
	pass


func _register(pid: String) -> String:
	for entry in entries:
		if entry.pid == pid and entry.connection != null:
			if entry.registered_address.is_empty():
				entry.registered_address = "127.0.0.1:%d" % registrar.datagrams[-1].port
			return "OK"
	return "Unknown host pid!"


func _tell(player: Entry, text: String) -> void:
	if player.connection != null:
		player.connection.say(text)


func _relay_of(player: Entry) -> int:
	if player.relay_port == 0:
		_last_relay_port += 1
		player.relay_port = _last_relay_port
	return player.relay_port


func _find(oid: String) -> Entry:
	for entry in entries:
		if entry.oid == oid:
			return entry
	return null


## The connection's first identity counts, as on the public server.
func _find_by_connection(from: Connection) -> Entry:
	for entry in entries:
		if entry.connection == from:
			return entry
	return null


## What the server knows of a player.
class Entry:
	extends RefCounted

	var oid: String
	var pid: String
	## Null for a player that [method add_entry] added.
	var connection: Connection
	## Empty until the player has registered.
	var registered_address: String = ""
	var relay_port: int = 0
