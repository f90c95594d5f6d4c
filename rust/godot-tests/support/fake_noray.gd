extends "res://support/fake_server.gd"
## What both generations of the public server have in common: ids, a registrar, connects.

const FakeRegistrar := preload("res://support/fake_registrar.gd")

## The first port that stands for a relayed player.
const FIRST_RELAY := 50100

var registrar: FakeRegistrar = FakeRegistrar.new()
var hosts: Array[Host] = []

## What is to be said in the next frame.
var _later: Array[Callable] = []
var _last_relay: int = FIRST_RELAY - 1


func _init() -> void:
	super()
	registrar.answer = _register


## Adds a player that is somewhere else.
func add_host(oid: String, remote: String) -> Host:
	var host := Host.new()
	host.oid = oid
	host.pid = "private-" + oid
	host.remote = remote
	hosts.append(host)
	return host


func _begin_frame() -> void:
	var due := _later
	_later = []
	for each: Callable in due:
		each.call()


func _take(from: Link, line: String) -> void:
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


## Two writes, which arrive apart.
func _give_ids(to: Link) -> void:
	var host := add_host("oid%d" % (hosts.size() + 1), "")
	host.link = to
	to.say("set-oid %s\n" % host.oid)
	_later.append(func() -> void: to.say("set-pid %s\n" % host.pid))


func _connect(from: Link, oid: String) -> void:
	var host := _find(oid)
	var client := _find_by_link(from)
	if host == null:
		_refuse(from, "connect", "Error: Unknown host oid: " + oid)
	elif host.remote.is_empty():
		_refuse(from, "connect", "Error: Host has no remote address registered!")
	elif client == null or client.remote.is_empty():
		_refuse(from, "connect", "Error: Client has no remote address registered!")
	else:
		from.say("connect %s\n" % host.remote)
		_tell(host, "connect %s\n" % client.remote)


func _ask_relay(from: Link, oid: String) -> void:
	_connect_relay(from, oid)


func _connect_relay(from: Link, oid: String) -> void:
	var host := _find(oid)
	var client := _find_by_link(from)
	if host == null:
		_refuse(from, "connect-relay", "Error: Unknown host oid: " + oid)
	elif client == null:
		_refuse(from, "connect-relay", "Error: Unknown client from address")
	elif not _can_relay(host, client):
		_refuse(from, "connect-relay", "")
	else:
		from.say("connect-relay %d\n" % _relay_of(host))
		_tell(host, "connect-relay %d\n" % _relay_of(client))


## Generation 2 gives a port also to those that it does not know the address of.
func _can_relay(_host: Host, _client: Host) -> bool:
	return true


func _echo(_from: Link, _text: String) -> void:
	pass


func _refuse(_from: Link, _command: String, _text: String) -> void:
	pass


func _register(pid: String) -> String:
	for host in hosts:
		if host.pid == pid and host.link != null:
			if host.remote.is_empty():
				host.remote = "127.0.0.1:%d" % registrar.datagrams[-1].port
			return "OK"
	return "Unknown host pid!"


func _tell(host: Host, text: String) -> void:
	if host.link != null:
		host.link.say(text)


func _relay_of(host: Host) -> int:
	if host.relay == 0:
		_last_relay += 1
		host.relay = _last_relay
	return host.relay


func _find(oid: String) -> Host:
	for host in hosts:
		if host.oid == oid:
			return host
	return null


## The first identity of a link, as the public server has it.
func _find_by_link(from: Link) -> Host:
	for host in hosts:
		if host.link == from:
			return host
	return null


class Host:
	extends RefCounted

	var oid: String
	var pid: String
	## Null for a player that only stands in the directory.
	var link: Link
	## Empty until it is registered.
	var remote: String = ""
	var relay: int = 0
