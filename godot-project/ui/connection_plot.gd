class_name ConnectionPlot
extends Control
## Plots a connection over the last minute: round trip as a line, loss as bars.
##
## The labels at the left edge give the value of the top, in the colours of the two; both scales
## grow with their values. A vertical line marks a change of path, in the colour of the new one.

const SECONDS := 60.0
const SAMPLES_PER_SECOND := 2
const MAX_SAMPLES := int(SECONDS) * SAMPLES_PER_SECOND + 1

## The values that the top of the plot can have: the lowest that holds all samples.
const ROUND_TRIP_SCALES: PackedFloat32Array = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
const LOSS_SCALES: PackedFloat32Array = [0.1, 0.2, 0.5, 1.0]

const THEME_TYPE := &"ConnectionPlot"
const SCALE_WIDTH := 46.0
const SCALE_GAP := 4.0
const LINE_WIDTH := 1.5
const BAR_ALPHA := 0.55

## Oldest first. In seconds, negative where unknown.
var _round_trips: PackedFloat32Array = []
## From 0 to 1.
var _losses: PackedFloat32Array = []
## The colour of a new path, transparent where the path did not change.
var _changes: PackedColorArray = []
var _next_change := Color.TRANSPARENT


func _draw() -> void:
	var area := Rect2(SCALE_WIDTH, 0.0, size.x - SCALE_WIDTH, size.y)
	var top_round_trip := _scale_for(_round_trips, ROUND_TRIP_SCALES)
	var top_loss := _scale_for(_losses, LOSS_SCALES)
	draw_rect(area, get_theme_color(&"background", THEME_TYPE))
	for part: float in [0.0, 0.5, 1.0]:
		var y := area.position.y + part * area.size.y
		draw_line(Vector2(area.position.x, y), Vector2(area.end.x, y),
				get_theme_color(&"grid", THEME_TYPE))
	_draw_losses(area, top_loss)
	_draw_changes(area)
	_draw_round_trips(area, top_round_trip)
	_draw_scale(area, "%d s" % roundi(top_round_trip) if top_round_trip >= 1.0
			else "%d ms" % roundi(top_round_trip * 1000.0), "%d %%" % roundi(top_loss * 100.0))


## Adds a sample; call it [constant SAMPLES_PER_SECOND] times a second. [param round_trip] is in
## seconds, negative if unknown; [param loss] is from 0 to 1.
func add_sample(round_trip: float, loss: float) -> void:
	_round_trips.append(round_trip)
	_losses.append(clampf(loss, 0.0, 1.0))
	_changes.append(_next_change)
	_next_change = Color.TRANSPARENT
	if _round_trips.size() > MAX_SAMPLES:
		_round_trips.remove_at(0)
		_losses.remove_at(0)
		_changes.remove_at(0)
	queue_redraw()


## Marks a change of path with the next sample. [param color] is that of the new path.
func mark_change(color: Color) -> void:
	_next_change = color


func _draw_losses(area: Rect2, top: float) -> void:
	var color := Color(get_theme_color(&"loss", THEME_TYPE), BAR_ALPHA)
	var width := area.size.x / (MAX_SAMPLES - 1)
	for index in _losses.size():
		if _losses[index] > 0.0:
			var height := area.size.y * _losses[index] / top
			# A sample stands for the time before it.
			var x := maxf(_x_of(index, area) - width, area.position.x)
			draw_rect(Rect2(x, area.end.y - height, width, height), color)


func _draw_changes(area: Rect2) -> void:
	for index in _changes.size():
		if _changes[index].a > 0.0:
			var x := _x_of(index, area)
			draw_line(Vector2(x, area.position.y), Vector2(x, area.end.y), _changes[index], LINE_WIDTH)


func _draw_round_trips(area: Rect2, top: float) -> void:
	var color := get_theme_color(&"round_trip", THEME_TYPE)
	var line: PackedVector2Array = []
	for index in _round_trips.size():
		if _round_trips[index] >= 0.0:
			var part := minf(_round_trips[index] / top, 1.0)
			line.append(Vector2(_x_of(index, area), area.end.y - part * area.size.y))
		elif not line.is_empty():
			_draw_line_part(line, color)
			line.clear()
	_draw_line_part(line, color)


func _draw_line_part(line: PackedVector2Array, color: Color) -> void:
	if line.size() > 1:
		draw_polyline(line, color, LINE_WIDTH, true)
	elif line.size() == 1:
		draw_circle(line[0], LINE_WIDTH, color)


## Labels the top and the bottom of the plot.
func _draw_scale(area: Rect2, top_round_trip: String, top_loss: String) -> void:
	var font_size := get_theme_font_size(&"font_size", THEME_TYPE)
	var ascent := get_theme_font(&"font", THEME_TYPE).get_ascent(font_size)
	_write(top_round_trip, area.position.y + ascent - 2.0, get_theme_color(&"round_trip", THEME_TYPE))
	_write(top_loss, area.position.y + 2.0 * ascent, get_theme_color(&"loss", THEME_TYPE))
	_write("0", area.end.y, get_theme_color(&"scale", THEME_TYPE))


func _write(text: String, y: float, color: Color) -> void:
	draw_string(get_theme_font(&"font", THEME_TYPE), Vector2(0.0, y), text,
			HORIZONTAL_ALIGNMENT_RIGHT, SCALE_WIDTH - SCALE_GAP,
			get_theme_font_size(&"font_size", THEME_TYPE), color)


## The newest sample is at the right edge.
func _x_of(index: int, area: Rect2) -> float:
	var age := _round_trips.size() - 1 - index
	return area.end.x - area.size.x * age / (MAX_SAMPLES - 1)


func _scale_for(values: PackedFloat32Array, scales: PackedFloat32Array) -> float:
	var highest := 0.0
	for value in values:
		highest = maxf(highest, value)
	for candidate in scales:
		if highest <= candidate:
			return candidate
	return scales[-1]
