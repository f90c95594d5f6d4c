class_name Bot
extends RefCounted
## Walks a figure around without keys: from one random point to the next.

const CLOSE_ENOUGH := 24.0
## In seconds. A longer walk is blocked by something: the bot picks another point.
const PATIENCE := 1.6

var _area: Rect2
var _destination: Vector2
var _walked: float = PATIENCE


func _init(area: Rect2) -> void:
	_area = area


## Returns the direction to walk in, like [method Input.get_vector].
func direction(from: Vector2, delta: float) -> Vector2:
	_walked += delta
	if _walked >= PATIENCE or from.distance_to(_destination) < CLOSE_ENOUGH:
		_walked = 0.0
		_destination = _area.position + Vector2(randf(), randf()) * _area.size
	return from.direction_to(_destination)
