extends Node
# The guide's section "Registering with noray", as it stands. Only the addresses are this game's.


func register_with_noray(noray_host: String, noray_port: int, registrar_port: int):
	var host = noray_host
	var port = noray_port
	var err = OK

	# Connect to noray
	err = await Noray.connect_to_host(host, port)
	if err != OK:
		return err # Failed to connect

	# Register host
	Noray.register_host()
	await Noray.on_pid

	# Register remote address
	# This is where noray will direct traffic
	err = await Noray.register_remote(registrar_port)
	if err != OK:
		return err # Failed to register

	return OK
