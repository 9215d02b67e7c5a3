"""Apple Health exports: units and names as HealthKit has them, and no trust in the XML."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count as count_from
from pathlib import Path
from typing import Any

import pytest

from services.vitals.imports import apple
from services.vitals.imports.items import Candidate, Ignored
from services.vitals.sources import device_name
from tests.services.vitals.imports.apple_files import HEAD, WATCH, export_xml, export_zip, record
from tests.services.vitals.imports.reading import read_file
from tests.support.common import PROJECT_ROOT

CLOCK = count_from()


@pytest.mark.parametrize(
    ("kind", "value", "unit", "expected"),
    [
        ("HeartRate", 71, "count/min", ("8867-4", 71)),
        ("RespiratoryRate", 14.5, "count/min", ("9279-1", 14.5)),
        ("OxygenSaturation", 0.97, "%", ("59408-5", 97)),  # HealthKit's percent is a fraction of 1
        ("BodyTemperature", 98.6, "degF", ("8310-5", 37)),
        ("BodyTemperature", 36.6, "degC", ("8310-5", 36.6)),
        ("BloodPressureSystolic", 120, "mmHg", ("8480-6", 120)),
        ("BloodPressureDiastolic", 80, "mmHg", ("8462-4", 80)),
        ("StepCount", 112, "count", ("55423-8", 112)),
        ("HeartRateVariabilitySDNN", 45.5, "ms", ("80404-7", 45.5)),
    ],
)
def test_records_are_read_in_healthkit_s_units(kind: str, value: float, unit: str, expected: Any) -> None:
    (sample,) = read_file(export_zip(export_xml([record(kind, value, unit)]))).samples
    assert (sample.code, sample.value) == expected
    assert sample.effective == datetime(2026, 3, 14, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value", "unit", "field"),
    [
        ("HeartRate", 71, "count/s", "unit"),
        ("HeartRate", "fast", "count/min", "value"),
        ("HeartRate", "nan", "count/min", "value"),
        ("OxygenSaturation", 97, "%", "value"),
        ("BodyTemperature", -300, "degC", "value"),
    ],
)
def test_what_cannot_be_is_told(kind: str, value: object, unit: str, field: str) -> None:
    found = read_file(export_xml([record(kind, value, unit)]))
    assert (found.samples, found.fields) == ([], [field])


def test_a_time_without_a_zone_is_told() -> None:
    assert read_file(export_xml([record("HeartRate", 71, "count/min", at="2026-03-14 08:30:00")])).fields == [
        "effective"
    ]


def test_other_records_are_counted_and_no_error() -> None:
    lines = [record("DietaryWater", 1, "mL"), " <Workout duration='1'/>\n", record("HeartRate", 71, "count/min")]
    found = read_file(export_xml(lines))
    assert (len(found.samples), found.rejects, found.ignored) == (1, [], 3)  # with the date of the export


def test_records_inside_of_correlations_are_not_counted_twice() -> None:
    inner = record("BloodPressureSystolic", 120, "mmHg")
    found = read_file(export_xml([inner, f" <Correlation type='x'>\n{inner}</Correlation>\n"]))
    assert len(found.samples) == 1


def test_one_watch_is_one_device_whatever_its_address_and_version() -> None:
    names = {
        device_name(WATCH.format(address=0x281E5D0E0 + n, software=version))
        for n, version in enumerate(["9.1", "9.2", "10.0"])
    }
    assert names == {"name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,2"}


def test_the_owner_s_name_in_the_source_is_not_taken_for_a_device() -> None:
    (sample,) = read_file(export_xml([record("HeartRate", 71, "count/min")])).samples
    assert sample.device == ""


@pytest.mark.parametrize("name", ["apple_health_export/Exportación.xml", "apple_health_export/导出.xml", "export.xml"])
def test_the_export_s_name_may_be_in_any_language(name: str) -> None:
    assert len(read_file(export_zip(export_xml([record("HeartRate", 71, "count/min")] * 99), name)).samples) == 99


def test_a_malformed_document_type_does_no_harm() -> None:
    # iOS 16 wrote an attribute list without its element.
    head = HEAD.replace("<!ELEMENT Record", "  device CDATA #IMPLIED >\n<!ELEMENT Record")
    assert len(read_file(export_xml([record("HeartRate", 71, "count/min")], head)).samples) == 1


def test_entities_are_not_expanded() -> None:
    bomb = '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">\n]>'
    lines = [record("HeartRate", 71, "count/min"), " <Workout kind='&b;'/>\n", record("HeartRate", 72, "count/min")]
    found = read_file(export_xml(lines, HEAD.replace("]>", bomb, 1)))
    assert (found.values, found.fields) == ([("8867-4", 71)], ["file"])


def test_an_export_that_breaks_off_gives_what_stands_before() -> None:
    found = read_file(export_xml([record("HeartRate", 71, "count/min")] * 100)[:-1000])
    assert 90 < len(found.samples) < 100
    assert found.rejects[-1][1] == "file"


class Endless:
    """An export of so many records, made while it is read."""

    def __init__(self, count: int) -> None:
        self.made = 0
        self._parts = self._write(count)
        self._held = b""

    def _write(self, count: int) -> Iterator[bytes]:
        yield HEAD.encode()
        line = record("HeartRate", 71, "count/min", device=WATCH.format(address=77, software="9.1")).encode()
        for _ in range(count // 100):
            yield line * 100
        yield b"</HealthData>"

    def read(self, size: int = -1, /) -> bytes:
        while len(self._held) < size and (part := next(self._parts, b"")):
            self._held += part
        chunk, self._held = self._held[:size], self._held[size:]
        self.made += len(chunk)
        return chunk


def peak_while_reading(count: int) -> tuple[int, int, int]:
    """Bytes of Python memory at their most, bytes read, and samples found."""
    source = Endless(count)
    tracemalloc.start()
    try:
        found = sum(isinstance(item, Candidate) for item in apple.read(source))
        return tracemalloc.get_traced_memory()[1], source.made, found
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_export() -> None:
    small, _, _ = peak_while_reading(3_000)
    large, size, found = peak_while_reading(30_000)
    assert (found, size > 10_000_000) == (30_000, True)
    assert large < small + 2_000_000


def test_a_record_without_an_end_is_damage_and_not_a_full_memory() -> None:
    source = io.BytesIO(HEAD.encode() + b" <Record type='" + b"x" * 40_000_000)
    *before, last = apple.read(source)
    assert [type(item) for item in before] == [Ignored]
    assert "larger than" in last.problem.problem  # type: ignore[union-attr]  # a Refused


MEASURE = """
import re, sys
from pathlib import Path
from services.vitals.imports import apple
from services.vitals.imports.archives import open_export
from services.vitals.imports.items import Candidate

with Path(sys.argv[1]).open("rb") as source:
    found = sum(isinstance(item, Candidate) for item in apple.read(open_export(source, 2**40)))
# Not ru_maxrss: that remembers the size of the process which this one was forked from.
print(found, int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.slow
def test_an_export_of_200_megabytes_is_read_in_less_than_300(tmp_path: Path) -> None:
    path, count = tmp_path / "export.zip", 620_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("export.xml", "w") as target:
        source = Endless(count)
        while chunk := source.read(2**20):
            # Times that differ: an export that repeats one line is taken for a bomb.
            target.write(re.sub(rb"08:30:00", lambda _: f"{next(CLOCK) % 24:02}:30:00".encode(), chunk))
    assert source.made > 200_000_000
    command = [sys.executable, "-c", MEASURE, str(path)]
    told = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}, capture_output=True, check=True)
    found, megabytes = map(int, told.stdout.split())
    assert found == count
    assert megabytes < 300
