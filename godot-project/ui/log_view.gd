class_name LogView
extends RichTextLabel
## Shows a line for each event; problems stand out.

const PROBLEM_COLOR := Color("ff9d8a")
const MAX_LINES := 200


func add_line(line: String, is_problem: bool) -> void:
	if get_paragraph_count() > MAX_LINES:
		remove_paragraph(0)
	push_color(PROBLEM_COLOR if is_problem else get_theme_color("default_color"))
	# Without BBCode: names and messages come from the network.
	add_text(line)
	pop()
	newline()
