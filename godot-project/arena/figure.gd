class_name Figure
extends Node2D
## Draws a player: a coloured body that looks where it goes.

const OUTLINE := Color("10131c")
const STEPS_PER_SECOND := 3.2
const BODY_RADIUS := 15.0
const BODY_HEIGHT := 15.0

var color := Color.WHITE
## True for the figure of this game's own player.
var is_mine: bool = false
## The figure's velocity; zero when it stands.
var walk := Vector2.ZERO

var _facing := Vector2.DOWN
var _step: float = 0.0


func _process(delta: float) -> void:
	if walk.length() > 5.0:
		_facing = _facing.slerp(walk.normalized(), minf(1.0, 14.0 * delta)) \
				if absf(_facing.angle_to(walk)) < 3.0 else walk.normalized()
		_step = fmod(_step + delta * STEPS_PER_SECOND, 1.0)
	else:
		_step = 0.0
	queue_redraw()


func _draw() -> void:
	var swing := sin(_step * TAU)
	var bob := -absf(swing) * 3.0
	_draw_ellipse(Vector2(0, 1), Vector2(19, 8), Color(0, 0, 0, 0.35))
	if is_mine:
		_draw_ring()
	_draw_foot(Vector2(-7, -2 - maxf(0.0, swing) * 5.0))
	_draw_foot(Vector2(7, -2 - maxf(0.0, -swing) * 5.0))

	var feet := Vector2(0, -BODY_RADIUS - 3.0 + bob)
	var head := feet + Vector2(0, -BODY_HEIGHT)
	_draw_body(feet, head, BODY_RADIUS + 2.5, OUTLINE)
	_draw_body(feet, head, BODY_RADIUS, color.darkened(0.22))
	_draw_body(feet + Vector2(-2, -3), head + Vector2(-2, 0), BODY_RADIUS - 3.0, color)
	draw_circle(head + Vector2(-6, -6), 3.5, color.lightened(0.55))
	_draw_eye(head, -1.0)
	_draw_eye(head, 1.0)


func _draw_body(feet: Vector2, head: Vector2, radius: float, body_color: Color) -> void:
	draw_circle(feet, radius, body_color)
	draw_circle(head, radius, body_color)
	draw_rect(Rect2(head.x - radius, head.y, radius * 2.0, feet.y - head.y), body_color)


func _draw_eye(head: Vector2, side: float) -> void:
	# From behind, a figure shows no eyes; from the side, only one.
	var across := _facing.x * 6.5 + side * 6.0 * (1.0 - absf(_facing.x) * 0.45)
	var center := head + Vector2(across, 2.0 + _facing.y * 4.0)
	if _facing.y < -0.5 or absf(across) > BODY_RADIUS - 2.0:
		return
	_draw_ellipse(center, Vector2(4.2, 5.4), Color.WHITE)
	draw_circle(center + _facing * 1.6, 2.3, OUTLINE)


func _draw_foot(at: Vector2) -> void:
	_draw_ellipse(at, Vector2(6.5, 4.5), OUTLINE)


func _draw_ring() -> void:
	draw_set_transform(Vector2(0, 1), 0.0, Vector2(1.0, 0.45))
	draw_arc(Vector2.ZERO, 24.0, 0.0, TAU, 40, Color(1, 1, 1, 0.85), 3.0, true)
	draw_set_transform(Vector2.ZERO)


func _draw_ellipse(center: Vector2, radii: Vector2, ellipse_color: Color) -> void:
	draw_set_transform(center, 0.0, Vector2(1.0, radii.y / radii.x))
	draw_circle(Vector2.ZERO, radii.x, ellipse_color)
	draw_set_transform(Vector2.ZERO)
