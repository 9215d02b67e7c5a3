"""Markers and hardware stand where they should and depend on nothing that matters."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward.anatomy import Field, Frame, Nuisance
from services.diagnosis.ward.hardware import draw_hardware, stamp_marker
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.scanners import UPRIGHT, Marker, View

FRAME = Frame(512, 480, 0.0, 1.0, (0.0, 0.0))
BEDSIDE = View("AP", bedside=True)
YOUNG, OLD = Person(30, "M", 2, "harbour"), Person(75, "M", 2, "harbour")
NOTHING: Nuisance = {
    "electrodes": 0.0, "wires": 1.0, "electrode_x": 0.0, "electrode_y": 0.0, "feeding_tube": 1.0, "sternotomy": 1.0,
    "marker": 0.0, "marker_letters": 0.0, "marker_x": 0.03, "marker_y": 0.03, "marker_tilt_deg": 0.0,
}  # fmt: skip
WHOLE = (slice(0, 512), slice(0, 480))


def hardware(person: Person = YOUNG, view: View = UPRIGHT, **changed: float) -> Field:
    return draw_hardware(FRAME, {**NOTHING, **changed}, person, view)


def stamped(kind: Marker, view: View = UPRIGHT, field: tuple[slice, slice] = WHOLE, **changed: float) -> Field:
    picture = np.full((512, 480), 0.2, dtype=np.float32)
    stamp_marker(picture, kind, view, {**NOTHING, **changed}, field)
    return picture


def box(changed: Field) -> tuple[int, int, int, int]:
    """First and last row, first and last column of what is not zero."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def test_without_hardware_nothing_is_added() -> None:
    assert not hardware().any()


def test_a_feeding_tube_runs_down_the_midline_into_the_stomach() -> None:
    tube = hardware(view=BEDSIDE, electrodes=0.0, feeding_tube=0.1)
    top, bottom, left, right = box(tube)
    assert top == 0
    assert 0.7 < bottom / 512 < 0.8
    # The midline is column 240; the stomach lies on the patient's left, the right half of the image.
    assert 240 - 10 < left < 240 < 300 < right
    assert not hardware(view=UPRIGHT, feeding_tube=0.1).any()


def test_wires_leave_the_electrodes() -> None:
    bare, wired = (hardware(electrodes=0.9, wires=wires) for wires in (0.9, 0.1))
    assert (wired[bare > 0] > 0).all()
    assert (wired > 0).sum() > 1.5 * (bare > 0).sum()


def test_sternal_wires_lie_over_the_sternum_of_older_patients() -> None:
    assert not hardware(YOUNG, sternotomy=0.05).any()
    top, bottom, left, right = box(hardware(OLD, sternotomy=0.05))
    assert 230 <= left < 240 < right <= 250
    assert 0.2 < top / 512 < bottom / 512 < 0.56


@pytest.mark.parametrize("style", ["lead", "plate", "printed"])
@pytest.mark.parametrize(("letters", "half"), [("L", 1), ("R", 0), ("LEFT", 1), ("RE", 0)])
def test_a_marker_stands_on_the_side_it_names(style: str, letters: str, half: int) -> None:
    changed = stamped(Marker(letters=(letters,), style=style, share=1.0)) - np.float32(0.2)  # type: ignore[arg-type]
    top, bottom, left, right = box(changed)
    assert bottom < 512 / 4
    assert ((left + right) / 2 > 240) == bool(half)
    assert top < bottom


def test_a_marker_stays_within_the_open_field() -> None:
    field = (slice(40, 480), slice(30, 430))
    changed = stamped(Marker(share=1.0), field=field) - np.float32(0.2)
    top, _, left, right = box(changed)
    assert top >= 40
    assert left >= 30
    assert right < 430


def test_bedside_images_say_so_below_the_letter() -> None:
    upright, bedside = (stamped(Marker(bedside="PORTABLE", share=1.0), view) for view in (UPRIGHT, BEDSIDE))
    assert box(bedside - np.float32(0.2))[1] > box(upright - np.float32(0.2))[1]


def test_some_images_have_no_marker() -> None:
    assert (stamped(Marker(share=0.5), marker=0.6) == np.float32(0.2)).all()
    assert (stamped(Marker(share=0.5), marker=0.4) != np.float32(0.2)).any()


def test_letters_too_small_to_read_are_left_out() -> None:
    picture = np.full((64, 60), 0.2, dtype=np.float32)
    stamp_marker(picture, Marker(share=1.0), BEDSIDE, NOTHING, (slice(0, 64), slice(0, 60)))
    assert (picture == np.float32(0.2)).all()
