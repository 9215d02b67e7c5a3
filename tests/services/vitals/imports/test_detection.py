"""A file is what its content says."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vitals.imports.detection import Format, detect
from tests.services.vitals.conftest import SAMPLE
from tests.services.vitals.imports.apple_files import export_xml, export_zip
from tests.services.vitals.imports.test_fhir import as_bytes, observation
from tests.services.vitals.imports.test_fitbit import takeout
from tests.services.vitals.imports.test_open_mhealth import point
from tests.support.fit_files import fit_file

LINE = json.dumps(SAMPLE).encode()
KNOWN = [
    (export_zip(b"<HealthData/>"), Format("apple-health-zip")),
    (export_xml([]), Format("apple-health-xml")),
    (fit_file([]), Format("fit")),
    (takeout("01/09/26 06:32:14"), Format("fitbit", "list")),
    (as_bytes(observation()), Format("fhir", "document")),
    (json.dumps(observation()).encode(), Format("fhir", "lines")),
    (as_bytes([observation()]), Format("fhir", "list")),
    (b"\xef\xbb\xbf\n " + as_bytes({"resourceType": "Bundle", "entry": []}), Format("fhir", "bundle")),
    (json.dumps(point()).encode() + b"\n", Format("open-mhealth", "lines")),
    (as_bytes(point()["body"]), Format("open-mhealth", "document")),
    (LINE, Format("samples")),
    (b"{damaged\n" + LINE + b"\n" + LINE, Format("samples")),
    (LINE[:40] + b"\n" + LINE + b"\n" + LINE, Format("samples")),
]


@pytest.mark.parametrize(("content", "form"), KNOWN)
def test_content_tells_the_format(content: bytes, form: Format | None) -> None:
    assert detect(content, whole=True) == form


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"[1, 2]", b"a,b\n1,2\n", b"%PDF-1.7", b"<html></html>", b'{"a": 1}', b"\0" * 99]
)
def test_anything_else_is_unknown(content: bytes) -> None:
    assert detect(content, whole=True) is None


@given(content=st.binary(max_size=300))
def test_any_bytes_are_known_or_unknown(content: bytes) -> None:
    detect(content, whole=True)
    detect(b"[{" + content, whole=False)
    detect(b'{"' + content, whole=True)


def test_the_head_of_a_long_file_is_enough() -> None:
    long = [as_bytes({"resourceType": "Bundle", "entry": [{"resource": observation()}] * 50}), takeout(*["x"] * 50)]
    for content in long:
        found = [detect(content[:size], whole=False) for size in (500, 1000, 1500)]
        assert found[0] is not None
        assert all(a == b for a, b in pairwise(found))
