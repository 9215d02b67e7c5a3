"""What lies on or in the patient and the film and means nothing: markers, electrodes and their wires, tubes, clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from services.diagnosis.ward.anatomy import Field, Frame, Nuisance
from services.diagnosis.ward.lesions import curve
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.scanners import Marker, View

HARDWARE_RANGES: dict[str, tuple[float, float]] = {
    "electrodes": (0, 1), "wires": (0, 1), "electrode_x": (-0.03, 0.03), "electrode_y": (-0.03, 0.03),
    "feeding_tube": (0, 1), "sternotomy": (0, 1),
    "marker": (0, 1), "marker_letters": (0, 1), "marker_x": (0.012, 0.045), "marker_y": (0.012, 0.055),
    "marker_tilt_deg": (-9, 9),
}  # fmt: skip
"""Uniform ranges, as `anatomy.NUISANCE_RANGES`."""
BRIGHT = 0.35
"""Brightness that opaque metal adds."""
SMALLEST_PRINT = 5
"""Pixels below which letters are left out."""


def draw_hardware(frame: Frame, n: Nuisance, person: Person, view: View) -> Field:
    """Brightness to add for electrodes, wires, a feeding tube and sternal wires."""
    canvas = Image.new("L", (frame.columns, frame.rows))
    draw = ImageDraw.Draw(canvas)
    if n["electrodes"] > (0.25 if view.bedside else 0.7):
        _electrodes(draw, frame, n, wired=n["wires"] < (0.8 if view.bedside else 0.3))
    if view.bedside and n["feeding_tube"] < 0.2:
        path = [(0.004, 0.0), (0.002, 0.2), (-0.006, 0.35), (0.012, 0.55), (0.035, 0.68), (0.1, 0.76), (0.15, 0.74)]
        draw.line(frame.pixels(curve(path)), fill=80, width=_width(frame, 0.006), joint="curve")
    if person.age_years > 50 and n["sternotomy"] < 0.12:
        _sternal_wires(draw, frame)
    return np.asarray(canvas, dtype=np.float32) * np.float32(BRIGHT / 255)


def _electrodes(draw: ImageDraw.ImageDraw, frame: Frame, n: Nuisance, *, wired: bool) -> None:
    dx, dy = n["electrode_x"], n["electrode_y"]
    radius = 0.011 * frame.rows
    for x, y in [(-0.25 + dx, 0.2 + dy), (0.26 + dx, 0.22 - dy), (0.28 - dx, 0.66 + dy)]:
        [(column, row)] = frame.pixels([(x, y)])
        draw.ellipse(
            [column - radius, row - radius, column + radius, row + radius], outline=130, width=_width(frame, 0.005)
        )
        if wired:
            path = [(x, y), (x * 1.12, y + 0.1), (x * 1.05, y + 0.24), (x * 1.35, y + 0.42)]
            draw.line(frame.pixels(curve(path)), fill=60, width=_width(frame, 0.003), joint="curve")


def _sternal_wires(draw: ImageDraw.ImageDraw, frame: Frame) -> None:
    width = _width(frame, 0.003)
    for y in (0.25, 0.32, 0.39, 0.46, 0.53):
        loop = [(-0.009, y), (-0.006, y - 0.006), (0.006, y - 0.006), (0.009, y), (0.005, y + 0.005), (-0.009, y)]
        knot = [(-0.009, y), (-0.014, y + 0.006)]
        for path in (curve(loop, 4), knot):
            draw.line(frame.pixels(path), fill=150, width=width)


def _width(frame: Frame, share: float) -> int:
    return max(1, round(frame.rows * share))


def stamp_marker(picture: Field, marker: Marker, view: View, n: Nuisance, field: tuple[slice, slice]) -> None:
    """Put the marker into the open field of a finished picture, near the upper corner of its side, in place."""
    if n["marker"] > marker.share:
        return
    letters = marker.letters[int(n["marker_letters"] * len(marker.letters))]
    size = marker.height * picture.shape[0]
    stamp = _letters(letters, size, plate=marker.style == "plate", tilt_deg=n["marker_tilt_deg"])
    open_field = picture[field]
    margin_x, margin_y = (round(n[name] * picture.shape[0]) for name in ("marker_x", "marker_y"))
    if marker.style == "printed":
        stamp, margin_x, margin_y = _letters(f"{letters} {view.position}", size), round(size * 0.4), round(size * 0.3)
    on_the_left = letters[0] == "L"
    _stamp(open_field, stamp, margin_y, margin_x, from_right=on_the_left)
    if view.bedside and marker.bedside:
        note = _letters(marker.bedside, size * 0.5)
        _stamp(open_field, note, margin_y + len(stamp) + 2, margin_x, from_right=on_the_left)


def _letters(text: str, size: float, *, plate: bool = False, tilt_deg: float = 0.0) -> NDArray[np.float32]:
    """The text's opacity, [rows, columns] in [0, 1]; as holes in a plate if `plate`; empty where too small to read."""
    if size < SMALLEST_PRINT:
        return np.zeros((0, 0), dtype=np.float32)
    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    pad = round(size * 0.25) if plate else 1
    image = Image.new("L", (right - left + 2 * pad, bottom - top + 2 * pad), 255 if plate else 0)
    ImageDraw.Draw(image).text((pad - left, pad - top), text, font=font, fill=0 if plate else 255)
    if tilt_deg:
        image = image.rotate(tilt_deg, resample=Image.Resampling.BILINEAR, expand=True)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _stamp(field: Field, stamp: NDArray[np.float32], top: int, margin: int, *, from_right: bool) -> None:
    """Paint white through `stamp`; what would lie outside the field is left out."""
    left = field.shape[1] - margin - stamp.shape[1] if from_right else margin
    if left < 0 or top + stamp.shape[0] > field.shape[0]:
        return
    part = field[top : top + stamp.shape[0], left : left + stamp.shape[1]]
    part += stamp * (np.float32(0.97) - part)
