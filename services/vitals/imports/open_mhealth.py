"""Open mHealth and IEEE 1752.1 data points: header and body, or the body alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import IO, Any

from services.vitals.imports.items import Ignored, Item, Refused, candidate, member
from services.vitals.imports.json_records import read_records
from services.vitals.signs import RR_INTERVAL
from shared.codes import (
    BODY_TEMPERATURE,
    DIASTOLIC_BLOOD_PRESSURE,
    HEART_RATE,
    OXYGEN_SATURATION,
    RESPIRATORY_RATE,
    STEPS,
    SYSTOLIC_BLOOD_PRESSURE,
)
from shared.errors import FieldProblem

MEASURES = {
    "heart_rate": (HEART_RATE, {"beats/min": "/min"}),
    "respiratory_rate": (RESPIRATORY_RATE, {"breaths/min": "/min"}),
    "oxygen_saturation": (OXYGEN_SATURATION, {"%": "%"}),
    "body_temperature": (BODY_TEMPERATURE, {"C": "Cel", "F": "[degF]", "K": "K"}),
    "systolic_blood_pressure": (SYSTOLIC_BLOOD_PRESSURE, {"mmHg": "mm[Hg]"}),
    "diastolic_blood_pressure": (DIASTOLIC_BLOOD_PRESSURE, {"mmHg": "mm[Hg]"}),
    "rr_interval": (RR_INTERVAL, {"ms": "ms", "sec": "s"}),
    "step_count": (STEPS, {"steps": "{steps}"}),
}
"""Member of a body -> what it measures, and the words for units that its schemas (all versions) have, in UCUM."""
_SECONDS = {"ms": 0.001, "sec": 1, "min": 60, "h": 3600, "d": 86_400, "wk": 604_800}
"""Of the schema `duration-unit-value`, as far as they have one length."""
_STATISTIC = FieldProblem("descriptive_statistic", "makes it a summary, no measurement", "send single measurements")
_OXYGEN = FieldProblem("supplemental_oxygen_flow_rate.unit", "is not L/min", "send L/min")
_INTERVAL = FieldProblem(
    "effective_time_frame.time_interval",
    "names no start with an end or duration",
    "send start_date_time with end_date_time or duration",
)


def read(source: IO[bytes], layout: str) -> Iterator[Item]:
    """The vital signs in a file of data points."""
    for record in read_records(source, layout):
        if record.problem is not None:
            yield Refused(record.place, record.problem)
        else:
            yield from _data_point(record.place, record.value)


def _data_point(place: str, point: Any) -> Iterator[Item]:
    body = member(point, "body") if isinstance(member(point, "header"), dict) else point
    measures = [name for name in MEASURES if member(body, name) is not None]
    if not measures:
        yield Ignored(place)
        return
    effective = _effective(body)
    problem = effective if isinstance(effective, FieldProblem) else _body_problem(body, measures)
    if problem is not None:
        yield Refused(place, problem)
        return
    device = member(point, "header", "acquisition_provenance", "source_name")
    for name in measures:
        (sign, units), (value, unit) = MEASURES[name], _quantity(name, body[name])
        yield candidate(place, code=sign.code, value=value, unit=units[unit], effective=effective, device=device)


def _body_problem(body: dict[str, Any], measures: list[str]) -> FieldProblem | None:
    if "descriptive_statistic" in body:
        return _STATISTIC
    flow = body.get("supplemental_oxygen_flow_rate")
    if flow is not None and member(flow, "unit") != "L/min":
        return _OXYGEN
    if "step_count" in body and member(body, "effective_time_frame", "time_interval") is None:
        return _INTERVAL
    for name in measures:
        units = MEASURES[name][1]
        if _quantity(name, body[name])[1] not in units:
            # All of it or nothing: half a blood pressure is none.
            return FieldProblem(f"{name}.unit", "is none of its schema", f"send {' or '.join(units)}")
    return None


def _quantity(name: str, value: Any) -> tuple[Any, str]:
    if name == "step_count" and not isinstance(value, dict):
        return value, "steps"  # versions 1 and 2 of the schema: a bare number
    return member(value, "value"), str(member(value, "unit"))


def _effective(body: dict[str, Any]) -> Any:
    """The time, or the end of the interval: only then is what was measured in it known."""
    frame = body.get("effective_time_frame")
    interval = member(frame, "time_interval")
    if interval is None:
        return member(frame, "date_time")
    start, end = member(interval, "start_date_time"), member(interval, "end_date_time")
    duration = member(interval, "duration")
    if duration is None:
        return end if start is not None and end is not None else _INTERVAL
    return end if end is not None else _moved(start, duration)


def _moved(start: Any, duration: Any) -> Any:
    length, second = member(duration, "value"), _SECONDS.get(str(member(duration, "unit")))
    if not isinstance(start, str) or type(length) not in (int, float) or second is None:
        return _INTERVAL
    return _end_of(start, lambda moment: moment + timedelta(seconds=length * second))


def _end_of(start: str, move: Callable[[datetime], datetime]) -> Any:
    try:
        return move(datetime.fromisoformat(start)).isoformat()
    except (ValueError, OverflowError):
        return _INTERVAL
