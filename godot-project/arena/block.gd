@tool
class_name Block
extends StaticBody2D
## A wall, a hedge or a crate in the arena.
##
## Its position is the middle of its front edge on the floor, so that Godot draws figures behind or
## in front of it correctly.

## Width and depth on the floor.
@export var size := Vector2(64, 32):
	set(value):
		size = value
		_refresh()
## The height of its front.
@export var height: float = 22.0:
	set(value):
		height = value
		_refresh()
@export var color := Color("5b6785"):
	set(value):
		color = value
		queue_redraw()
## Draws a crate's planks.
@export var has_planks: bool = false:
	set(value):
		has_planks = value
		queue_redraw()
@export var has_shadow: bool = true:
	set(value):
		has_shadow = value
		queue_redraw()

var _shape := RectangleShape2D.new()
var _collision := CollisionShape2D.new()


func _ready() -> void:
	_collision.shape = _shape
	add_child(_collision)
	_refresh()


func _draw() -> void:
	var left := -size.x / 2.0
	var top := Rect2(left, -size.y - height, size.x, size.y)
	var front := Rect2(left, -height, size.x, height)
	if has_shadow:
		draw_rect(Rect2(left + 4.0, -size.y + 6.0, size.x + 4.0, size.y), Color(0, 0, 0, 0.22))
	draw_rect(front, color.darkened(0.38))
	draw_rect(top, color)
	draw_rect(Rect2(top.position, Vector2(size.x, 3.0)), color.lightened(0.22))
	draw_line(Vector2(left, -height), Vector2(-left, -height), color.darkened(0.2), 2.0)
	if has_planks:
		draw_rect(top.grow(-5.0), color.darkened(0.14), false, 3.0)
		draw_line(top.position + Vector2(6, 6), top.end - Vector2(6, 6), color.darkened(0.14), 3.0)
		draw_rect(front.grow(-4.0), color.darkened(0.48), false, 2.0)


func _refresh() -> void:
	_shape.size = size
	_collision.position = Vector2(0, -size.y / 2.0)
	queue_redraw()
