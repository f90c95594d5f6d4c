@tool
class_name ArenaFloor
extends Node2D
## The arena's floor: tiles, and a ring in the middle.

const TILE := 44.0

## The tiled area.
@export var area := Rect2(0, 0, 880, 616)
@export var light := Color("333d54")
@export var dark := Color("2d364b")


func _draw() -> void:
	draw_rect(area, dark)
	for row in ceili(area.size.y / TILE):
		for column in ceili(area.size.x / TILE):
			var tile := Rect2(area.position + Vector2(column, row) * TILE, Vector2(TILE, TILE))
			if (row + column) % 2 == 0:
				draw_rect(tile.intersection(area), light)
	var middle := area.get_center()
	var paint := Color(1, 1, 1, 0.09)
	draw_circle(middle, 8.0, paint)
	draw_arc(middle, 84.0, 0.0, TAU, 64, paint, 5.0, true)
	draw_line(Vector2(middle.x, area.position.y), middle - Vector2(0, 84), paint, 5.0)
	draw_line(middle + Vector2(0, 84), Vector2(middle.x, area.end.y), paint, 5.0)
