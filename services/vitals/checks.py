"""What each member of a sample must be, wherever it comes from: the rules that all doors share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern

from services.vitals.signs import possible_range
from services.vitals.sources import device_name
from services.vitals.units import Conversion, conversion_for
from shared.errors import FieldProblem
from shared.intake import CLOCK_SKEW, EARLIEST, PATIENT_MAX, TIME_FIX, parse_time, patient_problem, read_time

MAX_DEVICE = 128
MAX_UNIT = 64


class LineRefused(ValueError):
    """What is no sample, and why."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = FieldProblem(field, problem, fix)


@dataclass(frozen=True, slots=True)
class Rule:
    """How values of one code in one unit become canonical, and what they can be."""

    sent_code: str
    sent_unit: str
    code: str
    unit: str
    conversion: Conversion
    low: float
    high: float
    """What a value can be by its definition, in the canonical unit."""
    is_canonical: bool
    """Whether nothing is to be converted."""
    is_share: bool
    """Whether the values are sent as a percentage, so that a fraction means something else than it says."""

    def canonical(self, sent: float) -> float:
        """A value in the canonical unit. What a body cannot have is marked later; what cannot be at all is refused.

        Raises: LineRefused.
        """
        value = sent + 0.0 if self.is_canonical else self.conversion.apply(sent)  # + 0.0: there is one zero
        if not self.low <= value <= self.high or value == math.inf:
            above = "" if math.isinf(self.high) else f" or above {self.high:g}"
            problem = f"is below {self.low:g}{above} {self.unit}, which cannot be by definition"
            raise LineRefused("value", problem, "check value and unit; send nothing where nothing was measured")
        if self.is_share and 0 < value <= 1:
            raise LineRefused("value", "is a fraction under the unit of a percentage", "send 97 with %, or 0.97 with 1")
        return value


def rule_for(code: str, unit: str) -> Rule:
    """The rule of a LOINC code and a UCUM unit. Raises: LineRefused."""
    if len(unit) > MAX_UNIT:
        raise LineRefused("unit", f"is longer than {MAX_UNIT} characters", "send a UCUM code without remarks")
    # No code is as long as a unit may be; what is remembered must not be what a stranger made long.
    found = _rule(code[: MAX_UNIT + 1], unit)
    if isinstance(found, FieldProblem):
        raise _refused(found)
    return found


@lru_cache(maxsize=1024)
def _rule(code: str, unit: str) -> Rule | FieldProblem:
    conversion = conversion_for(code, unit)
    if isinstance(conversion, FieldProblem):
        return conversion
    sign = conversion.sign
    is_canonical = (conversion.factor, conversion.offset) == (1, 0)
    is_share = sign.unit == "%" and conversion.factor == 1
    low, high = possible_range(sign.coding.code)
    as_sent, canonical = (intern(code), intern(unit)), (sign.coding.code, sign.unit)
    return Rule(*as_sent, *canonical, conversion, low, high, is_canonical, is_share)


def check_patient(patient: str) -> str:
    """A patient's identifier. Raises: LineRefused."""
    look = _patient_problem if len(patient) <= PATIENT_MAX else patient_problem
    if problem := look(patient):
        raise _refused(problem)
    return intern(patient)


def check_device(device: str) -> str:
    """The name of a device, without what changes from export to export. Raises: LineRefused."""
    if "HKDevice" in device:
        device = device_name(device)
    if len(device) > MAX_DEVICE or not (device.isprintable() and device.strip()):
        problem = f"is empty, longer than {MAX_DEVICE} characters, or not printable"
        raise LineRefused("device", problem, "send a short identifier of the device, or leave it out")
    return intern(device)


def check_times(effective: str, sent: str | None, now: datetime) -> tuple[datetime, datetime | None]:
    """When it was measured and when it was sent, both by the device's clock. Raises: LineRefused."""
    if sent is None:
        return _moment(read_time("effective", effective, now)), None
    shown, measured = _moment(parse_time("sent", sent)), _moment(parse_time("effective", effective))
    if measured > shown + CLOCK_SKEW:
        raise LineRefused("effective", "lies more than an hour after `sent`", "send both by the same clock")
    try:
        aged = measured + (now - shown)
    except OverflowError:
        aged = datetime.min.replace(tzinfo=UTC)
    if aged < EARLIEST:
        raise LineRefused("effective", "lies before 1990, by the age it had when it was sent", TIME_FIX)
    return measured, shown


def _moment(found: datetime | FieldProblem) -> datetime:
    if isinstance(found, FieldProblem):
        fix = found.fix if found.fix == TIME_FIX else f"{found.fix}, or add what it shows now as `sent`"
        raise LineRefused(found.field, found.problem, fix)
    return found


@lru_cache(maxsize=1024)
def zone_minutes(end: str) -> int | None:
    """Minutes that the zone at the end of a time is ahead of UTC; None for `Z` and `-00:00`, which name no place
    (RFC 9557, section 2)."""
    if end[-1] in "Zz" or end == "-00:00":
        return None
    minutes = int(end[-5:-3]) * 60 + int(end[-2:])
    return -minutes if end[0] == "-" else minutes


_patient_problem = lru_cache(maxsize=1024)(patient_problem)


def _refused(problem: FieldProblem) -> LineRefused:
    return LineRefused(problem.field, problem.problem, problem.fix)
