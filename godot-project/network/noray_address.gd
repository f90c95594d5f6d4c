class_name NorayAddress
extends RefCounted
## The address of a noray server: its TCP port for commands, and its registrar's UDP port.

const DEFAULT_PORT := 8890
const DEFAULT_REGISTRAR_PORT := 8809
const HOME_NETWORKS: PackedStringArray = ["192.168.", "10."]

var host: String
var port: int
var registrar_port: int


func _init(the_host: String, the_port: int = DEFAULT_PORT,
		the_registrar_port: int = DEFAULT_REGISTRAR_PORT) -> void:
	host = the_host
	port = the_port
	registrar_port = the_registrar_port


## Reads [code]name[/code], [code]name:port[/code], [code]::1[/code] or [code][::1]:port[/code].
## Port 0 means any free one, for a server that runs here. Returns null for anything else.
static func parse(text: String, the_registrar_port: int = DEFAULT_REGISTRAR_PORT) -> NorayAddress:
	var name_part := text.strip_edges()
	var port_part := str(DEFAULT_PORT)
	var colon := name_part.rfind(":")
	var is_bare_ipv6 := name_part.is_valid_ip_address() and colon >= 0
	if colon >= 0 and not is_bare_ipv6 and not name_part.ends_with("]"):
		port_part = name_part.substr(colon + 1)
		name_part = name_part.left(colon)
	if name_part.begins_with("[") and name_part.ends_with("]"):
		name_part = name_part.substr(1, name_part.length() - 2)
		if not name_part.is_valid_ip_address():
			return null
	elif name_part.contains(":") and not is_bare_ipv6:
		return null

	if name_part.is_empty() or name_part.contains(" ") or name_part.contains("/"):
		return null
	if not port_part.is_valid_int() or port_part.to_int() < 0 or port_part.to_int() > 65535:
		return null
	return NorayAddress.new(name_part, port_part.to_int(), the_registrar_port)


## Returns the addresses by which others in the same network can reach this computer, the most
## likely ones first.
static func of_this_computer() -> PackedStringArray:
	var found: Array[String] = []
	for network: Dictionary in IP.get_local_interfaces():
		for address: String in network["addresses"]:
			if address.is_valid_ip_address() and not address.contains(":") \
					and not address.begins_with("127.") and not address.begins_with("169.254."):
				found.append(address)
	found.sort_custom(func(a: String, b: String) -> bool: return _rank(a) < _rank(b))
	return PackedStringArray(found)


## Home networks come first; virtual machines and containers mostly use 172.16 to 172.31.
static func _rank(address: String) -> int:
	for rank in HOME_NETWORKS.size():
		if address.begins_with(HOME_NETWORKS[rank]):
			return rank
	return HOME_NETWORKS.size() + (1 if address.begins_with("172.") else 0)


## Returns true if only this computer can reach the address.
func is_loopback() -> bool:
	return host == "localhost" or host == "::1" or host.begins_with("127.")


## Returns true if the address is this computer's own, so that a server can run there.
func is_local() -> bool:
	return is_loopback() or IP.get_local_addresses().has(host)


## Returns the address as a player enters it.
func to_enter() -> String:
	return host if port == DEFAULT_PORT else str(self)


func _to_string() -> String:
	return ("[%s]:%d" if host.contains(":") else "%s:%d") % [host, port]
