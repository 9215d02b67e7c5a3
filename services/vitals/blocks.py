"""Reads lines of samples many at a time: a block of them in one call, then what differs from line to line.

Only what is beyond doubt is taken here. A block with anything else in it is read line by line by
`services.vitals.lines`, whose rules and words hold for both ways (ADR 0122).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import IO

import msgspec

from services.vitals.checks import LineRefused, Rule, check_device, check_patient, check_times, rule_for, zone_minutes
from services.vitals.domain import Sample
from services.vitals.lines import MAX_LINE_BYTES


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    patient: str
    code: str
    value: float
    unit: str
    effective: str
    device: str | msgspec.UnsetType | None = msgspec.UNSET
    sent: str | msgspec.UnsetType | None = msgspec.UNSET


_ROWS = msgspec.json.Decoder(_Row)
_REQUIRED_QUOTES = 5 * 2 + 4 * 2
"""Around the names and the texts of a line with the required members alone."""


def blocks_of(source: IO[bytes], most: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """Whole lines, as many as fit into `most` bytes; a longer line comes alone, cut after one byte more."""
    held = b""
    while held := held + source.read(most + 1 - len(held)):
        end = len(held) if len(held) <= most else held.rfind(b"\n", 0, most) + 1
        if not end:
            end, last = len(held), held
            while not last.endswith(b"\n") and (last := source.readline(most)):
                pass
        yield held[:end]
        held = held[end:]


class BlockReader:
    """Reads the blocks of one body. It remembers texts that passed their checks: a body has few different ones."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._patients, self._devices = dict[str, str](), dict[str | msgspec.UnsetType | None, str]()
        self._rules = dict[tuple[str, str], Rule]()

    def read(self, block: bytes) -> list[Sample] | None:
        """The samples of a block, one for each of its lines; None where any line asks for a second look."""
        rows = _rows(block)
        if rows is None:
            return None
        try:
            return list(self._samples(rows))
        except LineRefused:
            return None

    def _samples(self, rows: list[_Row]) -> Iterator[Sample]:
        """Raises: LineRefused."""
        make, patients, devices, rules = tuple.__new__, self._patients, self._devices, self._rules
        text = said = sent = effective = shown = zone = None
        for row in rows:
            rule = rules.get((row.code, row.unit)) or self._rule(row)
            value = rule.canonical(row.value)
            patient = patients.get(row.patient) or self._patient(row)
            device = devices.get(row.device)
            if device is None:
                device = self._device(row)
            if row.effective != text or row.sent != said:
                text, said = row.effective, row.sent
                sent = said if isinstance(said, str) else None
                effective, shown = check_times(text, sent, self._now)
                zone = zone_minutes(text[-6:])
            # A tuple's own constructor: that of a named tuple takes as long as all the rest.
            as_sent = (rule.sent_code, row.value, rule.sent_unit)
            yield make(Sample, (patient, rule.code, value, rule.unit, effective, device, *as_sent, zone, shown, None))

    def _rule(self, row: _Row) -> Rule:
        rule = self._rules[row.code, row.unit] = rule_for(row.code, row.unit)
        return rule

    def _patient(self, row: _Row) -> str:
        patient = self._patients[row.patient] = check_patient(row.patient)
        return patient

    def _device(self, row: _Row) -> str:
        device = self._devices[row.device] = check_device(row.device) if isinstance(row.device, str) else ""
        return device


def _rows(block: bytes) -> list[_Row] | None:
    """One row for each line; None where a strict reader might see something else in the block."""
    lines = block.rstrip(b"\r\n")
    if not (lines.startswith(b"{") and lines.endswith(b"}")) or (b"\\" in lines and b'\\"' in lines):
        return None
    try:
        rows = _ROWS.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # No line with two objects, no object on two lines.
    ends = len(rows) - 1
    if lines.count(b"\n") != ends or lines.count(b"}\r\n{" if b"\r" in lines else b"}\n{") != ends:
        return None
    # A name that comes twice adds quotes.
    quotes = _REQUIRED_QUOTES * len(rows)
    for row in rows:
        if row.device is not msgspec.UNSET:
            quotes += 2 if row.device is None else 4
        if row.sent is not msgspec.UNSET:
            quotes += 2 if row.sent is None else 4
    return rows if lines.count(b'"') == quotes else None
