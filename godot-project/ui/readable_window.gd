class_name ReadableWindow
extends RefCounted
## The smallest window of the demo.

## In pixels: three quarters of the size that the screens are made for. In less, nobody can read them.
const MIN_SIZE := Vector2i(864, 486)


## Keeps [param window] from becoming smaller than [constant MIN_SIZE].
static func keep(window: Window) -> void:
	window.min_size = MIN_SIZE
