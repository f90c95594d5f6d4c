extends RefCounted
## What Linux tells about a process. Other systems do not.


static func can_look() -> bool:
	return DirAccess.dir_exists_absolute("/proc/self/task")


## Returns the names of its threads.
static func thread_names(pid: int) -> PackedStringArray:
	var names: PackedStringArray = []
	for thread in DirAccess.get_directories_at("/proc/%d/task" % pid):
		var file := FileAccess.open("/proc/%d/task/%s/comm" % [pid, thread], FileAccess.READ)
		if file != null:
			names.append(file.get_line())
	return names


## Returns the names of the extension's threads in it.
static func our_threads(pid: int) -> PackedStringArray:
	var ours: PackedStringArray = []
	for name in thread_names(pid):
		if name.begins_with("noray") or name.begins_with("tokio"):
			ours.append(name)
	return ours


## Returns the number of its sockets.
static func socket_count(pid: int) -> int:
	var listing: Array[String] = []
	OS.execute("ls", ["-l", "/proc/%d/fd" % pid], listing)
	return "".join(listing).count("socket:")


## Returns in how many seconds the system probes this process's connection to a port of this
## machine; -1 when it never will.
static func keepalive_in(port: int) -> float:
	# The kernel's number for the timer of an idle connection.
	const KEEPALIVE_TIMER := "02"
	const ESTABLISHED := "01"
	const TICKS_PER_SECOND := 100.0
	var file := FileAccess.open("/proc/net/tcp", FileAccess.READ)
	while not file.eof_reached():
		var fields := file.get_line().split(" ", false)
		if fields.size() < 6 or not fields[2].ends_with(":%04X" % port):
			continue
		var timer := fields[5].split(":")
		if fields[3] == ESTABLISHED and timer[0] == KEEPALIVE_TIMER:
			return timer[1].hex_to_int() / TICKS_PER_SECOND
	return -1.0


## Returns the sockets of a process, and the runtime's event queue; without listening sockets, as
## the editor itself has some.
static func our_sockets(pid: int) -> PackedStringArray:
	const LISTENS := "0A"
	var found: PackedStringArray = []
	var listing: Array[String] = []
	OS.execute("ls", ["-l", "/proc/%d/fd" % pid], listing)
	var open := "".join(listing)
	if open.contains("[eventpoll]"):
		found.append("eventpoll")
	for table: String in ["tcp", "tcp6", "udp", "udp6"]:
		var file := FileAccess.open("/proc/net/" + table, FileAccess.READ)
		while file != null and not file.eof_reached():
			var fields := file.get_line().split(" ", false)
			if fields.size() < 10 or fields[3] == LISTENS:
				continue
			if open.contains("socket:[%s]" % fields[9]):
				found.append("%s %s to %s" % [table, fields[1], fields[2]])
	return found
