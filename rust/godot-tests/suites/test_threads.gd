extends "res://suite.gd"
## Calls from other threads than the main one, and odd uses of the singleton: an error and a
## sentence, and no harm.
##
## The methods are those that ClassDB lists, so that a new one is not forgotten.

## Methods that work on any thread, as their help says.
const ON_ANY_THREAD: Dictionary = {
	"Noray": [
		"is_connected_to_host",
		"get_oid",
		"get_pid",
		"get_local_port",
		"get_server_version",
		"get_last_error",
		"get_last_error_message",
	],
	"PacketHandshake": [],
}


func test_a_method_of_noray_called_from_a_thread_returns_an_error() -> void:
	var singleton := Engine.get_singleton("Noray")
	await _check_refused("Noray", func(method: String, arguments: Array) -> Variant:
		return singleton.callv(method, arguments))


func test_a_handshake_called_from_a_thread_returns_an_error() -> void:
	await _check_refused("PacketHandshake", func(method: String, arguments: Array) -> Variant:
		match method:
			"over_packet_peer":
				return PacketHandshake.over_packet_peer(null)
			"over_enet":
				return PacketHandshake.over_enet(null, "", 0)
			"over_enet_peer":
				return PacketHandshake.over_enet_peer(null, "", 0)
		return ["not called", method, arguments])


func test_an_await_on_a_thread_does_not_hang() -> void:
	expect_in_log("Noray.connect_to_host() works on the main thread only")
	var results: Array = []
	var thread := Thread.new()
	thread.start(func() -> void: await _connect_later(results))
	await _end(thread)
	check(await wait_until(func() -> bool: return results.size() == 1, 5.0), "the await ends")
	check_equal(results, [ERR_UNAVAILABLE])


func test_an_await_in_the_worker_pool_does_not_hang() -> void:
	expect_in_log("Noray.connect_to_host() works on the main thread only")
	var results: Array = []
	var task := WorkerThreadPool.add_task(func() -> void: await _connect_later(results))
	await wait_until(func() -> bool: return WorkerThreadPool.is_task_completed(task), 5.0)
	WorkerThreadPool.wait_for_task_completion(task)
	check(await wait_until(func() -> bool: return results.size() == 1, 5.0), "the await ends")
	check_equal(results, [ERR_UNAVAILABLE])


func test_a_server_made_on_a_thread_runs() -> void:
	var servers: Array[NorayServer] = []
	await _on_thread(func() -> void:
		var made := NorayServer.new()
		check_error(made.start(0, 0, "", "127.0.0.1"), OK)
		for method in _methods("NorayServer"):
			if method not in ["start", "stop"]:
				made.call(method)
		servers.append(made))
	var server := servers[0]
	check(server.is_running() and server.port > 0, "the main thread sees it run")
	var err: Error = await Noray.connect_to_host("127.0.0.1", server.port)
	check_error(err, OK)
	Noray.disconnect_from_host()
	# The last reference goes on a thread.
	server = null
	await _on_thread(func() -> void:
		servers[0].stop()
		check(not servers[0].is_running(), "stopped")
		servers.clear())


func test_servers_of_many_threads_do_not_disturb_each_other() -> void:
	var threads: Array[Thread] = []
	for index in 4:
		var thread := Thread.new()
		thread.start(func() -> bool:
			for round_of_it in 10:
				var server := NorayServer.new()
				if server.start(0, 0, "", "127.0.0.1") != OK or server.port == 0:
					return false
				server.stop()
			return true)
		threads.append(thread)
	for thread in threads:
		check_equal(await _end(thread), true)


func test_noray_freed_by_a_script_stays() -> void:
	expect_in_log("Noray.free() does nothing")
	var singleton := Engine.get_singleton("Noray")
	singleton.free()
	check(is_instance_valid(singleton), "it is still there")
	await wait_frames(2)
	check_equal(Noray.oid, "")
	var server := NorayServer.new()
	check_error(server.start(0, 0, "", "127.0.0.1"), OK)
	var err: Error = await Noray.connect_to_host("127.0.0.1", server.port)
	check_error(err, OK)
	Noray.disconnect_from_host()


func test_a_second_noray_does_no_harm() -> void:
	var second: Object = ClassDB.instantiate("Noray")
	for method in _methods("Noray"):
		if method in ON_ANY_THREAD["Noray"]:
			second.call(method)
			continue
		expect_in_log("Noray.%s() works on the singleton only" % method)
		await _check_is_error(method, second.callv(method, _arguments("Noray", method)))
	second.free()
	await wait_frames(2)
	check(is_instance_valid(Engine.get_singleton("Noray")), "the singleton is still there")


func _connect_later(results: Array) -> void:
	var err: Error = await Noray.connect_to_host("127.0.0.1", 1)
	results.append(err)


## Calls each method that ClassDB lists on a thread, and checks that it returns an error.
func _check_refused(of_class: String, calling: Callable) -> void:
	for method in _methods(of_class):
		var results: Array = []
		var arguments := _arguments(of_class, method)
		var is_refused: bool = method not in ON_ANY_THREAD[of_class]
		if is_refused:
			expect_in_log("%s.%s() works on the main thread only" % [of_class, method])
		await _on_thread(func() -> void: results.append(calling.call(method, arguments)))
		if not check(results.size() == 1, "%s does not return" % method):
			continue
		if is_refused:
			await _check_is_error(method, results[0])


func _check_is_error(method: String, result: Variant) -> void:
	if result is Signal:
		var completed: Signal = result
		var emitted: Variant = await wait_signal(completed, 5.0)
		if not check(emitted is Array, "the await of %s hangs" % method):
			return
		result = (emitted as Array)[0]
	# What a method gives that returns no error.
	var is_nothing: bool = result == null or (result is Dictionary and result == {})
	check(is_nothing or is_same(result, ERR_UNAVAILABLE), "%s gives %s" % [method, result])


func _methods(of_class: String) -> PackedStringArray:
	var methods: PackedStringArray = []
	for method: Dictionary in ClassDB.class_get_method_list(of_class, true):
		methods.append(method["name"])
	check(not methods.is_empty(), of_class)
	return methods


## Returns an argument of the right type for each parameter.
func _arguments(of_class: String, wanted: String) -> Array:
	var arguments: Array = []
	for method: Dictionary in ClassDB.class_get_method_list(of_class, true):
		if method["name"] == wanted:
			for argument: Dictionary in method["args"]:
				var type: int = argument["type"]
				arguments.append(null if type == TYPE_OBJECT else type_convert(null, type))
	return arguments


func _on_thread(work: Callable) -> void:
	var thread := Thread.new()
	thread.start(work)
	await _end(thread)


## Waits for a thread as a game does: the main thread goes on.
func _end(thread: Thread) -> Variant:
	check(await wait_until(func() -> bool: return not thread.is_alive(), 10.0), "it ends")
	return thread.wait_to_finish()
