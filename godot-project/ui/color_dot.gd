@tool
class_name ColorDot
extends Control
## A dot in a player's colour.

@export var color := Color.WHITE:
	set(value):
		color = value
		queue_redraw()


func _draw() -> void:
	draw_circle(size / 2.0, minf(size.x, size.y) / 2.0, color)
