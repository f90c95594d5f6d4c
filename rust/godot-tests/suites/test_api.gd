extends "res://suite.gd"
## What games written for netfox.noray call and read, and what the extension adds: names, types,
## defaults. Fails when one of them changes.

const METHODS: Dictionary = {
	"Noray": [
		"host(noray: String = \"\", max_clients: int = 32, options: Nil = null) -> Signal",
		"join(oid: String, noray: String = \"\", options: Nil = null) -> Signal",
		"cancel_host() -> Nil",
		"leave() -> Nil",
		"get_identity() -> Dictionary",
		"cancel_join() -> Nil",
		"get_connection(peer_id: int) -> NorayConnection",
		"keep_alive(connection: ENetConnection) -> Error",
		"connect_to_host(address: String, port: int = 8890) -> Signal",
		"is_connected_to_host() -> bool",
		"disconnect_from_host() -> Nil",
		"register_host() -> Error",
		"register_remote(registrar_port: int = 8809, timeout: float = 8.0, interval: float = 0.1)"
				+ " -> Signal",
		"connect_nat(oid: String) -> Error",
		"connect_relay(oid: String) -> Error",
	],
	"PacketHandshake": [
		"static over_packet_peer(peer: PacketPeer, timeout: float = 8.0, frequency: float = 0.1,"
				+ " address: String = \"\", port: int = 0) -> Signal",
		"static over_enet(connection: ENetConnection, address: String, port: int,"
				+ " timeout: float = 8.0, frequency: float = 0.1) -> Signal",
		"static over_enet_peer(peer: ENetMultiplayerPeer, address: String, port: int,"
				+ " timeout: float = 8.0, frequency: float = 0.1) -> Signal",
	],
	"NorayConnection": [
		"is_alive() -> bool",
	],
	"NorayServer": [
		"start(port: int = 8890, registrar_port: int = 8809,"
				+ " relay_ports: String = \"49152-51200\", bind_address: String = \"*\") -> Error",
		"stop() -> Nil",
		"is_running() -> bool",
	],
}

const SIGNALS: PackedStringArray = [
	"on_command(command: String, data: String)",
	"on_connect_to_host()",
	"on_disconnect_from_host()",
	"on_oid(oid: String)",
	"on_pid(pid: String)",
	"on_connect_nat(address: String, port: int)",
	"on_connect_relay(address: String, port: int)",
	"connect_failed(oid: String, error: Error, message: String)",
	"join_progressed(stage: Noray.JoinStage, message: String)",
	"path_changed(peer_id: int, path: NorayConnection.Path)",
	"oid_changed(oid: String)",
]

const ENUMS: Dictionary = {
	"Noray": {
		"JoinStage": [
			"CONNECTING", "REGISTERING", "ASKING", "TRYING_LAN", "TRYING_DIRECT", "TRYING_RELAY",
			"ENTERING", "JOINED",
		],
	},
	"NorayConnection": {
		"Path": ["LAN", "DIRECT", "RELAY"],
	},
}

## The properties of `NorayConnection`, with their types.
const CONNECTION_PROPERTIES: Dictionary = {
	"path": "NorayConnection.Path",
	"address": "String",
	"port": "int",
	"round_trip": "float",
	"jitter": "float",
	"loss": "float",
	"bytes_sent": "int",
	"bytes_received": "int",
	"packets_sent": "int",
	"packets_received": "int",
	"since": "float",
}

const PROPERTIES: Dictionary = {
	"Noray": {
		"oid": "",
		"pid": "",
		"local_port": -1,
		"server_version": "",
		"last_error": OK,
		"last_error_message": "",
	},
	"NorayServer": {
		"port": 0,
		"registrar_port": 0,
		"player_count": 0,
		"relay_count": 0,
		"connection_count": 0,
		"last_error_message": "",
	},
}


func test_class_and_singleton_have_the_same_name() -> void:
	check(ClassDB.class_exists(&"Noray"), "there is no class")
	check(Engine.has_singleton("Noray"), "there is no singleton")
	check_equal(Engine.get_singleton("Noray").get_class(), "Noray")
	check(Engine.get_singleton("Noray") == Noray, "GDScript's Noray is another object")


func test_methods_with_their_defaults() -> void:
	for type: String in METHODS:
		var wanted: Array = METHODS[type]
		var getters: PackedStringArray = []
		var properties: Dictionary = PROPERTIES.get(type, CONNECTION_PROPERTIES)
		for property: String in properties:
			getters.append("get_" + property)
		var found: Array = []
		for method: Dictionary in ClassDB.class_get_method_list(type, true):
			var method_name: String = method["name"]
			# Names with an underscore are internal.
			if method_name not in getters and not method_name.begins_with("_"):
				found.append(_method(method))
		check_equal(found, wanted, type)


func test_signals_with_their_arguments() -> void:
	var found: PackedStringArray = []
	for description: Dictionary in ClassDB.class_get_signal_list(&"Noray", true):
		found.append("%s(%s)" % [description["name"], _arguments(description)])
	check_equal(found, SIGNALS)


func test_properties_are_there_and_read_only() -> void:
	for type: String in PROPERTIES:
		var object: Object = Noray
		if type == "NorayServer":
			object = NorayServer.new()
		var wanted: Dictionary = PROPERTIES[type]
		check_equal(_property_names(type), wanted.keys(), type)
		for property: String in wanted:
			var value: Variant = object.get(property)
			# Earlier tests leave a message there.
			if property.begins_with("last_error"):
				check_equal(typeof(value), typeof(wanted[property]), type + "." + property)
			elif type == "NorayServer":
				check_equal(value, wanted[property], type + "." + property)
			else:
				check_equal(typeof(value), typeof(wanted[property]), type + "." + property)
			if typeof(value) == TYPE_INT:
				object.set(property, 4711)
			else:
				object.set(property, "changed")
			check_equal(object.get(property), value, type + "." + property + " was written")


func test_properties_of_a_connection() -> void:
	var found: Dictionary = {}
	for property: Dictionary in ClassDB.class_get_property_list(&"NorayConnection", true):
		var property_name: String = property["name"]
		found[property_name] = _type(property)
		check_equal(
				ClassDB.class_get_property_setter(&"NorayConnection", property_name), &"",
				property_name + " can be set"
		)
	check_equal(found, CONNECTION_PROPERTIES)


## Fails when a stage or a path has another name or number, or is only a number to GDScript.
func test_enums() -> void:
	for type: String in ENUMS:
		var wanted: Dictionary = ENUMS[type]
		check_equal(Array(ClassDB.class_get_enum_list(type, true)), wanted.keys(), type)
		for each: String in wanted:
			var constants: Array = wanted[each]
			check_equal(Array(ClassDB.class_get_enum_constants(type, each, true)), constants, each)
			for value in constants.size():
				var constant: String = constants[value]
				check_equal(ClassDB.class_get_integer_constant(type, constant), value, constant)
	var stage: Noray.JoinStage = Noray.JoinStage.JOINED
	check_equal(stage as int, 7)
	var path: NorayConnection.Path = NorayConnection.Path.RELAY
	check_equal(path as int, NorayConnection.RELAY as int)


## Fails when a script must instantiate the handshake, or the editor offers the internal class of
## awaits.
func test_only_the_server_can_be_made() -> void:
	check(not ClassDB.can_instantiate(&"PacketHandshake"), "a handshake can be made")
	check(not ClassDB.can_instantiate(&"NorayConnection"), "a connection can be made")
	check(ClassDB.can_instantiate(&"NorayServer"), "a server cannot be made")
	check_equal(ClassDB.get_parent_class(&"NorayServer"), &"RefCounted")
	for type in ClassDB.get_class_list():
		if ClassDB.class_get_api_type(type) == ClassDB.API_EXTENSION:
			check(
					type in [
						"Noray", "NorayConnection", "NorayServer", "PacketHandshake", "NorayRequest",
					],
					type
			)


## Fails when an await of a method that ends at once does not resume, or not with an [enum Error],
## in any style in which games call.
func test_awaits_in_every_style() -> void:
	expect_in_log("not connected")
	var typed: Error = await Noray.register_remote()
	check_error(typed, ERR_CONNECTION_ERROR)
	expect_in_log("not connected")
	typed = await Noray.register_remote()
	check_error(typed, ERR_CONNECTION_ERROR, "assigned again")
	expect_in_log("not connected")
	check(await Noray.register_remote() == ERR_CONNECTION_ERROR, "compared")
	expect_in_log("not connected")
	var untyped: Variant = await Noray.register_remote()
	check_equal(untyped, ERR_CONNECTION_ERROR as int, "untyped")
	# Not awaited at all: the game goes on, and nothing is held.
	expect_in_log("not connected")
	Noray.register_remote()
	await wait_frames(2)


func _method(description: Dictionary) -> String:
	var flags: int = description["flags"]
	var result: Dictionary = description["return"]
	return "%s%s(%s) -> %s" % [
		"static " if flags & METHOD_FLAG_STATIC != 0 else "",
		description["name"],
		_arguments(description),
		_type(result),
	]


func _arguments(description: Dictionary) -> String:
	var arguments: Array = description["args"]
	var defaults: Array = description["default_args"]
	var texts: PackedStringArray = []
	for index in arguments.size():
		var argument: Dictionary = arguments[index]
		var text := "%s: %s" % [argument["name"], _type(argument)]
		var default_index := index - (arguments.size() - defaults.size())
		if default_index >= 0:
			text += " = " + var_to_str(defaults[default_index])
		texts.append(text)
	return ", ".join(texts)


func _type(description: Dictionary) -> String:
	var type_name: String = description["class_name"]
	var type: int = description["type"]
	return type_string(type) if type_name.is_empty() else type_name


func _property_names(type: String) -> Array:
	var names: Array = []
	for property: Dictionary in ClassDB.class_get_property_list(type, true):
		names.append(property["name"])
	return names
