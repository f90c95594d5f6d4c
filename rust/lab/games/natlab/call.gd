extends Node
# Meets others by the two calls `Noray.host()` and `Noray.join()`.

const PATHS: Array[String] = ["lan", "direct", "relay"]


func _ready() -> void:
	Noray.join_progressed.connect(_on_join_progressed)
	Noray.path_changed.connect(_on_path_changed)
	Noray.oid_changed.connect(_on_oid_changed)


func host(noray: String, max_clients: int) -> MultiplayerPeer:
	var peer: ENetMultiplayerPeer = await Noray.host(noray, max_clients)
	return peer


func join(noray: String, oid: String, options: Dictionary) -> MultiplayerPeer:
	var peer: ENetMultiplayerPeer = await Noray.join(oid, noray, options)
	if peer == null:
		# The extension warns of each join that fails.
		print("[expect] Noray: cannot join")
	return peer


func describe(peer_id: int) -> String:
	var connection := Noray.get_connection(peer_id)
	if connection == null:
		return "failed text=there is no connection to player %d" % peer_id
	return "ok path=%s address=%s:%d round_trip=%.4f loss=%.3f since=%.1f" % [
		PATHS[connection.path], connection.address, connection.port,
		connection.round_trip, connection.loss, connection.since,
	]


func describe_failure() -> String:
	return "code=%d text=%s: %s" % [
		Noray.last_error, error_string(Noray.last_error), Noray.last_error_message
	]


func _on_join_progressed(stage: int, message: String) -> void:
	print("[lab] event stage %d %s" % [stage, message])


func _on_path_changed(peer_id: int, path: int) -> void:
	print("[lab] event path %d %s" % [peer_id, PATHS[path]])


func _on_oid_changed(oid: String) -> void:
	print("[lab] event oid %s" % oid)
