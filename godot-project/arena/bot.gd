class_name Bot
extends RefCounted
## Walks a figure around when nobody presses keys: from one random goal to the next.

const CLOSE_ENOUGH := 24.0
## Longer than any walk through the arena takes; then something is in the way.
const PATIENCE := 1.6

var _area: Rect2
var _goal: Vector2
var _walked: float = PATIENCE


func _init(area: Rect2) -> void:
	_area = area


## Where to walk now, as [method Input.get_vector] would say it.
func direction(from: Vector2, delta: float) -> Vector2:
	_walked += delta
	if _walked >= PATIENCE or from.distance_to(_goal) < CLOSE_ENOUGH:
		_walked = 0.0
		_goal = _area.position + Vector2(randf(), randf()) * _area.size
	return from.direction_to(_goal)
