"""`POST /vitals/imports`: a file in, 202 when it is durable, and progress until all of it is stored."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.vitals.app import create_app
from services.vitals.imports.pieces import open_pieces
from services.vitals.imports.store import ImportRow
from services.vitals.settings import Settings
from shared.auth import Role
from tests.services.vitals.conftest import SAMPLE, Start, events_of, make_sample, runtime_of, send, stored
from tests.services.vitals.imports.apple_files import export_xml, export_zip, record
from tests.services.vitals.imports.importing import counts, import_file, outcome_of, send_file
from tests.services.vitals.imports.test_fhir import as_bytes, blood_pressure, observation
from tests.services.vitals.imports.test_fitbit import takeout
from tests.services.vitals.imports.test_open_mhealth import point
from tests.support.common import TestBed
from tests.support.files import files_below
from tests.support.fit_files import fit_file
from tests.support.servers import serve


def minutes(count: int, **changed: Any) -> bytes:
    """So many samples as NDJSON."""
    lines = (make_sample(effective=f"2026-03-14T{n // 60:02}:{n % 60:02}:00Z", **changed) for n in range(count))
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_file_goes_in_and_its_samples_come_out(start: Start, any_database: str) -> None:
    client = start(any_database)
    answer = send_file(client, minutes(100))
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert answer.headers["location"] == f"/vitals/imports/{accepted['id']}"
    assert (accepted["format"], accepted["error"], accepted["bytes"]["total"]) == ("samples", None, len(minutes(100)))
    done = outcome_of(client, answer.headers["location"])
    assert (done["state"], done["counts"]) == ("succeeded", counts(100, accepted=100))
    assert done["bytes"] == {"done": len(minutes(100)), "total": len(minutes(100))}
    assert done["finishedAt"] is not None
    assert len(stored(client)) == 100


def test_the_same_file_again_is_the_same_import(start: Start, any_database: str) -> None:
    client = start(any_database)
    first = send_file(client, minutes(10))
    outcome_of(client, first.headers["location"])
    again = send_file(client, minutes(10), name="other-name.bin")
    assert (again.status_code, again.headers["location"]) == (200, first.headers["location"])
    assert again.json()["counts"] == counts(10, accepted=10)
    assert send_file(client, minutes(10), patient="P-1001").status_code == 202
    assert send_file(client, minutes(10), zone="Europe/Berlin").status_code == 202


def test_the_same_file_sent_by_many_at_once_is_one_import(start: Start, any_database: str) -> None:
    client = start(any_database)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send_file(client, minutes(50)), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [202]
    (location,) = {answer.headers["location"] for answer in answers}
    assert outcome_of(client, location)["counts"] == counts(50, accepted=50)


def test_samples_known_from_elsewhere_are_duplicates(start: Start, any_database: str) -> None:
    client = start(any_database)
    send(client, [make_sample(effective="2026-03-14T00:00:00Z"), make_sample(effective="2026-03-14T00:01:00Z")])
    assert import_file(client, minutes(5))["counts"] == counts(5, accepted=3, duplicates=2)


@pytest.mark.parametrize(
    ("content", "fields", "accepted"),
    [
        (as_bytes(observation()), {}, 1),
        (as_bytes(blood_pressure()), {"patient": "P-7"}, 2),
        (json.dumps(point()).encode(), {"patient": "P-7"}, 1),
        (takeout("01/09/26 06:32:14"), {"patient": "P-7", "zone": "Europe/Berlin"}, 1),
        (export_zip(export_xml([record("HeartRate", 71, "count/min")])), {"patient": "P-7"}, 1),
        (export_xml([record("HeartRate", 71, "count/min")]), {"patient": "P-7"}, 1),
    ],
)
def test_every_format_comes_in_by_the_same_door(
    client: TestClient, content: bytes, fields: dict[str, str], accepted: int
) -> None:
    assert import_file(client, content, **fields)["counts"]["accepted"] == accepted
    assert len(stored(client, "P-7")) == accepted


def test_rejects_are_told_page_by_page_and_never_with_their_value(start: Start, any_database: str) -> None:
    client = start(any_database, import_batch=7)
    lines = [json.dumps(make_sample(value=-9000 - n, device=f"SECRET-{n}")) for n in range(20)]
    done = import_file(client, "\n".join([json.dumps(SAMPLE), *lines]).encode())
    assert done["counts"] == counts(21, accepted=1, rejected=20)
    found, after = [], 0
    while after is not None:
        page = client.get(f"/vitals/imports/{done['id']}/rejects", params={"after": after, "limit": 8})
        assert "SECRET" not in page.text
        assert "900" not in page.text
        found += page.json()["items"]
        after = page.json()["next"]
    assert [reject["place"] for reject in found] == [f"line {n}" for n in range(2, 22)]
    assert {reject["field"] for reject in found} == {"value"}
    assert all(reject["reason"].startswith("value is below") and reject["fix"] for reject in found)


def test_so_many_rejects_are_listed_and_all_counted(start: Start, database: str) -> None:
    client = start(database, max_rejects_kept=5, import_batch=3)
    done = import_file(client, minutes(11, value=-1))
    assert done["counts"] == counts(11, rejected=11)
    assert len(client.get(f"/vitals/imports/{done['id']}/rejects").json()["items"]) == 5


def test_the_request_s_patient_is_everyone_s_who_has_none_and_nobody_else_s(client: TestClient) -> None:
    nameless = {name: value for name, value in SAMPLE.items() if name != "patient"}
    lines = [nameless, make_sample(value=72, patient="P-7"), make_sample(value=73, patient="P-8")]
    done = import_file(client, "\n".join(map(json.dumps, lines)).encode(), patient="P-7")
    assert done["counts"] == counts(3, accepted=2, rejected=1)
    assert [sample["value"] for sample in stored(client, "P-7")] == [71, 72]
    (reject,) = client.get(f"/vitals/imports/{done['id']}/rejects").json()["items"]
    assert (reject["place"], reject["field"]) == ("line 3", "patient")
    done = import_file(client, json.dumps(nameless).encode())
    (reject,) = client.get(f"/vitals/imports/{done['id']}/rejects").json()["items"]
    assert (reject["reason"], "with the whole import" in reject["fix"]) == ("patient is missing", True)


@pytest.mark.parametrize(
    ("content", "fields", "field"),
    [
        (b"a,b\n1,2\n", {}, "file"),
        (b"", {}, "file"),
        (b"PK\x03\x04 no archive", {"patient": "P-1"}, "file"),
        (export_zip(b"<HealthData>" + b" " * 30_000_000), {"patient": "P-1"}, "file"),
        (fit_file([]), {}, "patient"),
        (fit_file([]), {"patient": " "}, "patient"),
        (fit_file([]), {"patient": "x" * 65}, "patient"),
        (takeout("01/09/26 06:32:14"), {"patient": "P-1"}, "zone"),
        (takeout("01/09/26 06:32:14"), {"patient": "P-1", "zone": "Mars/Olympus"}, "zone"),
        (takeout("01/09/26 06:32:14"), {"patient": "P-1", "zone": "../../etc/passwd"}, "zone"),
        (json.dumps(SAMPLE).encode(), {"note": "x"}, "body"),
        (json.dumps(SAMPLE).encode(), {"patient": "x" * 5000}, "patient"),
    ],
)
def test_what_cannot_be_imported_is_answered_422_with_field_and_fix(
    client: TestClient, content: bytes, fields: dict[str, str], field: str
) -> None:
    answer = send_file(client, content, **fields)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    (problem,) = answer.json()["errors"]
    assert problem["field"] == field
    assert problem["fix"]
    (event,) = events_of(client)
    assert (event["subtype"], event["outcome"], event["outcomeReason"]) == (
        "vitals-refused",
        "refused",
        "not-an-import",
    )


def test_an_unknown_format_is_answered_with_what_is_taken(client: TestClient) -> None:
    text = send_file(client, b"%PDF-1.7").text
    assert all(name in text for name in ("FHIR", "Open mHealth", "Fitbit", "FIT", "Apple Health", "NDJSON"))


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", ""])
def test_other_content_types_are_refused(client: TestClient, kind: str) -> None:
    answer = client.post("/vitals/imports", content=b"{}", headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (415, "Content-Type")


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"no form", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n{']
)
def test_a_form_that_breaks_off_is_refused(client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/vitals/imports", content=body, headers=headers).status_code == 422


def test_a_file_over_the_limit_is_answered_413(start: Start, database: str) -> None:
    client = start(database, max_import_bytes=1_000_000)
    assert send_file(client, b"{" * 1_100_000).status_code == 413
    assert send_file(client, minutes(1400)).status_code == 202


def test_a_file_over_the_limit_that_does_not_say_its_length_is_refused_and_logged(start: Start, database: str) -> None:
    client = start(database, max_import_bytes=100_000)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/vitals/imports", content=iter([head, *[minutes(100)] * 20]), headers=headers)
    assert answer.status_code == 413
    assert [event["outcomeReason"] for event in events_of(client)] == ["too-large"]


def test_a_header_without_an_end_is_refused(client: TestClient) -> None:
    body = b"--x\r\nContent-Disposition: " + b"y" * 100_000
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/vitals/imports", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


def test_an_export_made_in_another_time_zone_brings_duplicates_alone(client: TestClient) -> None:
    for zone, expected in [
        ("08:30:00 +0100", counts(2, accepted=1, ignored=1)),
        ("02:30:00 -0500", counts(2, 0, 1, 0, 1)),
    ]:
        content = export_xml([record("HeartRate", 71, "count/min", at=f"2026-03-14 {zone}")])
        assert import_file(client, content, patient="P-1001")["counts"] == expected


def test_a_file_may_be_longer_than_other_bodies(start: Start, database: str) -> None:
    client = start(database, max_body_bytes=10_000)
    assert send_file(client, minutes(1400)).status_code == 202


@pytest.mark.parametrize("path", ["not-an-id", "00000000-0000-7000-8000-000000000000", "%00"])
def test_an_unknown_import_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(f"/vitals/imports/{path}").status_code == 404
    assert client.get(f"/vitals/imports/{path}/rejects").status_code == 404


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_neither_import_nor_look(client: TestClient, bed: TestBed, role: Role) -> None:
    location = send_file(client, minutes(1)).headers["location"]
    headers = bed.headers(role)
    assert client.post("/vitals/imports", files={"file": minutes(2)}, headers=headers).status_code == 403
    assert client.get(location, headers=headers).status_code == 403
    assert client.get(f"{location}/rejects", headers=headers).status_code == 403
    assert client.get(location, headers=bed.headers(Role.EHR_SYSTEM)).status_code == 200
    assert client.get(location, headers={"Authorization": ""}).status_code == 401


def test_each_patient_of_a_batch_gets_one_event_in_the_sender_s_name(start: Start, database: str, bed: TestBed) -> None:
    client = start(database, import_batch=4)
    lines = [make_sample(patient=f"P-{n % 2}", value=160 + n) for n in range(8)] + [
        make_sample(patient="P-0", code="x")
    ]
    headers = bed.headers(subject="dr-grey")
    body = "\n".join(map(json.dumps, lines)).encode()
    outcome_of(client, client.post("/vitals/imports", files={"file": body}, headers=headers).headers["location"])
    events = events_of(client)
    assert [(e["subtype"], e["details"]) for e in events] == [
        *[("vitals-stored", {"accepted": 2, "duplicates": 0, "late": True})] * 4,
        ("vitals-rejected", {"rejected": 1, "lines": 1, "fields": {"code": 1}}),
    ]
    assert {e["actor"]["subject"] for e in events} == {"dr-grey"}
    assert "P-" not in json.dumps([{**e, "subjectRef": ""} for e in events])
    assert "16" not in json.dumps([e["details"] for e in events])


def test_neither_answer_nor_row_of_progress_names_the_patient(client: TestClient) -> None:
    done = import_file(client, takeout("01/09/26 06:32:14"), patient="P-SECRET", zone="Europe/Berlin")
    assert "SECRET" not in json.dumps(done)


def test_a_file_goes_in_chunk_by_chunk_over_a_real_socket(bed: TestBed, database: str) -> None:
    app = create_app(Settings(database_url=database), bed.common)
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + minutes(100) + b"\r\n--x--\r\n"
    chunks = (body[at : at + 37] for at in range(0, len(body), 37))
    headers = {**bed.headers(), "Content-Type": "multipart/form-data; boundary=x"}
    with serve(app) as address, httpx.Client(base_url=address, headers=headers, trust_env=False) as http:
        answer = http.post("/vitals/imports", content=chunks)
        assert (answer.status_code, answer.json()["bytes"]["total"]) == (202, len(minutes(100)))


def test_the_file_of_a_named_patient_is_kept_as_received_and_encrypted(client: TestClient, bed: TestBed) -> None:
    import_file(client, minutes(3), patient="P-1001")
    with runtime_of(client).sessions() as session:
        job = session.scalars(sa.select(ImportRow)).one()
    with open_pieces(runtime_of(client).blobs, str(job.owner), job.pieces) as kept:
        assert kept.read() == minutes(3)
    files = [path.read_bytes() for path in files_below(bed.directory / "blobs")]
    assert not any(b"P-1001" in content for content in files)


def test_reference_files_of_all_wearables_go_in(start: Start, any_database: str, vitals_data: Path) -> None:
    client = start(any_database)
    activity = (vitals_data / "wearable-fit" / "20170518-191602-1740899583.fit").read_bytes()
    done = import_file(client, activity, patient="P-1001")["counts"]
    assert (done["accepted"], done["rejected"]) == (1641, 0)
    damaged = (vitals_data / "wearable-fit" / "activity-filecrc.fit").read_bytes()
    assert import_file(client, damaged, patient="P-1001")["counts"]["rejected"] == 1
    assert len(stored(client)) == 1641
