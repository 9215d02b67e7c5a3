"""From a report to the vital signs in it: whose, measured when and by what, and what of it cannot be taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.vitals.checks import LineRefused
from services.vitals.domain import Sample
from services.vitals.hl7.codes import unit, vital_sign
from services.vitals.lines import check_sample
from services.vitals.settings import Settings
from shared.hl7v2.message import Message, Segment
from shared.hl7v2.problems import Fault, Kind, RefusedMessage, fault_at
from shared.hl7v2.times import read_hl7_time, zone_of
from shared.intake import patient_problem

STANDING = "FVPRC"
"""Result statuses (HL7 table 0085) of a value that stands: final, verified, preliminary, not verified, a correction."""
CORRECTION = "C"
_NOT_STANDING = {
    "D": "deletes a result",
    "W": "says that a result was wrong",
    "X": "says that there is no result",
    "": "is empty",
}
_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})", re.ASCII)
_EQUIPMENT = "EQUIP"
"""HL7 table 0912: a participation that is a device."""
_FIELDS = {"code": "OBX-3", "value": "OBX-5", "unit": "OBX-6", "device": "OBX-18", "patient": "PID-3"}


@dataclass(frozen=True)
class Report:
    """The vital signs of one patient in one message."""

    patient: str
    samples: Sequence[Sample]
    corrections: Sequence[Sample]
    """Those of `samples` that stand in the place of what was sent before."""
    faults: Sequence[Fault]
    """One for each OBX of a vital sign that is not taken."""

    @property
    def observations(self) -> int:
        """OBX of vital signs; others are passed over."""
        return len(self.samples) + len(self.faults)


@dataclass(frozen=True)
class _Observation:
    """An OBX with what stands around it."""

    obx: Segment
    sequence: int
    obr: Segment | None
    device: str


def read_report(message: Message, settings: Settings, now: datetime) -> Report:
    """The vital signs in a message. Raises: RefusedMessage: it has no patient, or no vital sign is in it."""
    patient = message.one("PID", why="send one patient in a message").part(3)
    if found := patient_problem(patient):
        raise RefusedMessage(fault_at("PID-3", found, Kind.MISSING))
    samples, corrections, faults = list[Sample](), list[Sample](), list[Fault]()
    for observation in _observations(message):
        try:
            read = _read(observation, patient, message, settings, now)
        except RefusedMessage as refusal:  # a value that cannot be decoded
            read = refusal.faults[0]
        if isinstance(read, Fault):
            faults.append(replace(read, sequence=observation.sequence))
        elif read is not None:
            samples.append(read)
            corrections += [read] if observation.obx.part(11) == CORRECTION else []
    if not samples and not faults:
        fix = "send vital signs by their LOINC or 11073-10101 codes, as NM"
        raise RefusedMessage(Fault("OBX-3", "names no vital sign known here", fix, Kind.UNKNOWN_VALUE))
    return Report(patient, samples, corrections, faults)


def _observations(message: Message) -> Iterator[_Observation]:
    """Every OBX in order."""
    obr: Segment | None = None
    number, devices = 0, dict[str, str]()
    for place, segment in enumerate(message.segments, 1):
        if segment.name == "OBR":
            obr, devices = segment, {}
        elif segment.name == "OBX":
            number += 1
            device = _participant(message.segments, place) or _entity(segment, 18)
            yield _Observation(segment, number, obr, _device(segment, device, devices))


def _participant(segments: Sequence[Segment], start: int) -> str:
    """The device that the segments behind an OBX name for it (since version 2.7)."""
    for place in range(start, len(segments)):
        segment = segments[place]
        if segment.name == "PRT" and segment.raw(4).startswith(_EQUIPMENT):
            return _entity(segment, 10)
        if segment.name not in ("PRT", "NTE"):
            break
    return ""


def _device(obx: Segment, own: str, devices: dict[str, str]) -> str:
    """What measured: the device that the OBX names, or else the channel, module or monitor that holds it.

    OBX-4 numbers monitor, module, channel and measurement (`1.2.1.150456`; `1.2.0.0` is the module), and a device is
    named once for all that it holds (IHE Devices TF-2, OBX-4 and OBX-18).
    """
    place = obx.raw(4).split(".")
    if not own:
        holders = (".".join(place[:depth]) for depth in range(len(place), 0, -1))
        return next((devices[holder] for holder in holders if holder in devices), "")
    while len(place) > 1 and place[-1] == "0":
        place.pop()
    if place[0]:
        devices[".".join(place)] = own
    return own


def _entity(segment: Segment, number: int) -> str:
    """An entity identifier (EI): what names the device, and who gave it that name."""
    try:
        parts = [segment.part(number, component).strip() for component in (1, 2, 3)]
    except RefusedMessage:
        # A name that cannot be read is no reason to refuse the value.
        return ""
    return " ".join(dict.fromkeys(part for part in parts if part))


def _read(
    observation: _Observation, patient: str, message: Message, settings: Settings, now: datetime
) -> Sample | Fault | None:
    obx = observation.obx
    code = vital_sign(obx)
    if code is None:
        return None
    if fault := _status_fault(obx):
        return fault
    value = _value(obx)
    if isinstance(value, Fault):
        return value
    field, moment = _measured_at(observation, message, settings, now)
    if isinstance(moment, Fault):
        return moment
    document = {"patient": patient, "code": code, "value": value, "unit": unit(obx), "effective": moment.isoformat()}
    if observation.device:
        document["device"] = observation.device
    try:
        return check_sample(document, now)
    except LineRefused as refused:
        return fault_at(_FIELDS.get(refused.problem.field, field), refused.problem)


def _status_fault(obx: Segment) -> Fault | None:
    status = obx.part(11)
    if status and status in STANDING:
        return None
    problem = _NOT_STANDING.get(status, "is not the status of a result that stands")
    return Fault("OBX-11", problem, "send results that stand: F, C, P, R or V", Kind.UNKNOWN_VALUE)


def _value(obx: Segment) -> float | Fault:
    kind, raw = obx.part(2), obx.raw(5)
    if kind not in ("NM", "SN"):
        return Fault("OBX-2", "is no number", "send the value as NM", Kind.UNKNOWN_VALUE)
    if obx.separators.repetition in raw:
        return Fault("OBX-5", "holds several values", "send one value in an OBX")
    if not raw:
        return Fault("OBX-5", "is empty", "send the measured value, or OBX-11 X where there is none", Kind.MISSING)
    number = obx.text(5, raw) if kind == "NM" else _plain(obx)
    if number is None or not _NUMBER.fullmatch(number.strip()):
        return Fault("OBX-5", "is no plain number", "send one number, without a comparator or a range")
    return float(number)


def _plain(obx: Segment) -> str | None:
    """The number of a structured numeric (SN) that is one: no bound, no range, no ratio."""
    comparator, number, separator, second = (obx.part(5, component) for component in (1, 2, 3, 4))
    return number if comparator in ("", "=") and not separator and not second else None


def _measured_at(
    observation: _Observation, message: Message, settings: Settings, now: datetime
) -> tuple[str, datetime | Fault]:
    """When it was measured, and the field that says so."""
    offset = zone_of(message.header.part(7))
    for segment, number in ((observation.obx, 14), (observation.obr, 7)):
        if segment is not None and (text := segment.part(number)):
            field = f"{segment.name}-{number}"
            return field, read_hl7_time(field, text, now, offset, settings.mllp_zone)
    return "OBX-14", Fault("OBX-14", "is empty, as is OBR-7", "send the time of the measurement", Kind.MISSING)
