extends SceneTree
## Runs in the demo's project, by --script: looks at the demo's screens and prints what it sees.

const SEEN := "[child] "
const MISTAKE := "The host is on fire."


func _initialize() -> void:
	_look.call_deferred()


func _look() -> void:
	var main := _open("res://main.tscn")
	await process_frame
	print(SEEN, "smallest window of the demo ", root.min_size)
	var session := main.get_node("Session")
	var screen := main.get_node("Ui/ConnectionScreen")
	_look_at_addresses(screen)

	session.call("_end", MISTAKE)
	await process_frame
	print(SEEN, "mistake shown ", _count_shown(main, MISTAKE))

	session.set("is_host", true)
	await _look_at_players(main.get_node("Arena/Figures"), main.get_node("Ui/GamePanel"))
	session.set("is_host", false)
	main.queue_free()

	root.min_size = Vector2i.ZERO
	var plain_flow := _open("res://examples/plain_flow/plain_flow.tscn")
	await process_frame
	print(SEEN, "smallest window of the plain flow ", root.min_size)
	_look_at_plain_flow(plain_flow)
	plain_flow.queue_free()
	await process_frame
	quit()


func _open(scene: String) -> Node:
	var opened := (load(scene) as PackedScene).instantiate()
	root.add_child(opened)
	return opened


func _look_at_addresses(screen: Node) -> void:
	var field := screen.get_node("%AddressField") as LineEdit
	print(SEEN, "server at first ", field.text)
	field.text = "127.0.0.1"
	field.text_changed.emit(field.text)
	print(SEEN, "hint at 127.0.0.1 ", (screen.get_node("%AddressHint") as Label).text)


func _count_shown(node: Node, text: String) -> int:
	var count := 0
	if node is CanvasItem and (node as CanvasItem).is_visible_in_tree():
		if node is Label:
			count = (node as Label).text.count(text)
		elif node is RichTextLabel:
			count = (node as RichTextLabel).get_parsed_text().count(text)
	for child in node.get_children():
		count += _count_shown(child, text)
	return count


func _look_at_players(figures: Node, panel: Control) -> void:
	panel.show()
	for number in 7:
		var player := (load("res://arena/player.tscn") as PackedScene).instantiate()
		player.call("setup", 2 + number, "Bob %d" % number, number, Color.WHITE, Vector2.ZERO)
		figures.add_child(player)
	var rows := panel.get_node("%Rows") as Control
	for row: Control in rows.get_children():
		# As if the player were connected: with a plot.
		row.set("_is_connected", true)
		(row.get_node("Figures") as Control).show()
	if panel.has_method("_fold_rows"):
		panel.call("_fold_rows")
	await process_frame
	await process_frame
	var scroll := panel.get_node("%Scroll") as Control
	print(SEEN, "rows are whole ", rows.get_combined_minimum_size().y <= scroll.size.y)

	(rows.get_child(0).get_node("Heading/KickButton") as Button).pressed.emit()
	var dialog := panel.get_node_or_null("KickDialog") as ConfirmationDialog
	print(SEEN, "before a kick ", dialog.dialog_text if dialog != null and dialog.visible else "")
	if dialog != null:
		dialog.hide()


func _look_at_plain_flow(plain_flow: Node) -> void:
	var oid_field := plain_flow.get_node("%OidField") as LineEdit
	var join_button := plain_flow.get_node("%JoinButton") as Button
	print(SEEN, "join without an OpenID ", not join_button.disabled)
	oid_field.text = " abc\n"
	oid_field.text_changed.emit(oid_field.text)
	print(SEEN, "join with an OpenID ", not join_button.disabled)
	print(SEEN, "plain flow explained ", _count_shown(plain_flow, "OpenID that it shows") == 1)
