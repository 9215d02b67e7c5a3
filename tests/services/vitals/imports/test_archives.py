"""ZIP files that are none of Apple's, or that were made to fill a disk."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from services.vitals.imports import apple
from services.vitals.imports.archives import NotAnExport, open_export
from services.vitals.imports.items import Refused
from tests.services.vitals.imports.apple_files import export_xml, export_zip, record

GOOD = export_zip(export_xml([record("HeartRate", 71, "count/min")] * 2000))


def refusal_of(content: bytes, most: int = 2**30) -> str:
    with pytest.raises(NotAnExport) as refused:
        open_export(io.BytesIO(content), most)
    return refused.value.problem


def test_an_export_is_opened() -> None:
    assert open_export(io.BytesIO(GOOD), 2**30).read(5) == b"<?xml"


def test_a_bomb_is_refused_by_its_ratio_and_by_its_size() -> None:
    assert "unpack" in refusal_of(export_zip(b"<HealthData>" + b" " * 50_000_000))
    assert "unpack" in refusal_of(GOOD, most=1000)


def test_other_archives_are_refused() -> None:
    assert "without an export.xml" in refusal_of(export_zip(b"{}", "data.json").replace(b"_cda.xml", b"_cda.txt"))
    assert "breaks off" in refusal_of(b"PK\x03\x04")
    assert "damaged" in refusal_of(GOOD[:200] + b"\0" * 400 + GOOD[-22:])


def test_a_list_of_members_that_would_fill_the_memory_is_refused() -> None:
    at = len(GOOD) - 22 + 12
    assert "too many" in refusal_of(GOOD[:at] + struct.pack("<I", 2**31) + GOOD[at + 4 :])


def test_an_encrypted_member_is_refused() -> None:
    content = bytearray(GOOD)
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        names = [info.filename for info in archive.infolist()]
    entry = content.rfind(b"PK\x01\x02", 0, content.rfind(names[1].encode()))
    content[entry + 8] |= 1
    assert "encrypted" in refusal_of(bytes(content))


def test_damage_inside_of_the_member_is_told_behind_what_could_be_read() -> None:
    content = bytearray(GOOD)
    middle = GOOD.rfind(b"PK\x01\x02", 0, GOOD.rfind(b"export.xml")) - 4000
    content[middle : middle + 40] = bytes(40)
    items = list(apple.read(open_export(io.BytesIO(bytes(content)), 2**30)))
    assert isinstance(items[-1], Refused)
    assert items[-1].problem.field == "file"
