class_name KnownWays
extends RefCounted
## Where the noray server said that players come from, and by which way:
## so a host can tell of each connected player whether it is direct or relayed.

## Anyone who knows the OpenID can make the server announce an address, so only the latest stay.
const MAX_REMEMBERED := 256

var _ways: Dictionary = {} # "address:port" -> NoraySession.Way


func remember(address: String, port: int, way: NoraySession.Way) -> void:
	if _ways.size() >= MAX_REMEMBERED:
		_ways.erase(_ways.keys()[0])
	_ways[_key(address, port)] = way


func way_of(address: String, port: int) -> NoraySession.Way:
	if _ways.has(_key(address, port)):
		return _ways[_key(address, port)]
	# A router may let the player out by another port than the noray server saw.
	for key: String in _ways:
		if key.begins_with(address + ":"):
			return _ways[key]
	return NoraySession.Way.UNKNOWN


func clear() -> void:
	_ways.clear()


func _key(address: String, port: int) -> String:
	return "%s:%d" % [address, port]
