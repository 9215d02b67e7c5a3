"""A patient is erased from every service, and the log's proofs stand."""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.audit.verify.command import main as verify
from services.diagnosis.replay import replay
from services.diagnosis.running import run_job
from services.imaging.store import InstanceRow, OutboxRow
from services.imaging.usecases import reads
from shared.auth import Role
from shared.database import reading
from shared.errors import NotFound
from shared.web import build_runtime
from tests.support.common import TestBed
from tests.support.diagnosis_house import eventually
from tests.support.erasure_house import (
    SERVICES,
    House,
    blobs_below,
    copy_of_state,
    open_house,
    restore,
    tables_holding,
)

GONE, WORDS = "GONE-4711", "CanaryForget"
STAYS, OTHER = "STAYS-4712", "CanaryKeep"


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Two patients with the same evidence, one of whom was erased, and what was seen before."""
    directory = tmp_path_factory.mktemp("erased")
    with open_house(directory) as house:
        jobs = {patient: house.admit(patient, words) for patient, words in ((GONE, WORDS), (STAYS, OTHER))}
        audit = house.client("audit", Role.AUDITOR)
        size = int(audit.get("/audit/checkpoint").text.split("\n")[1])
        receipts = {n: audit.get(f"/audit/entries/{n}/receipt").text for n in range(size)}
        before = {"tables": tables_holding(directory, GONE, WORDS), "blobs": blobs_below(directory)}
        before["notes"] = {path.name: path.read_bytes() for path in directory.glob("notes.db*")}
        shown = house.client("diagnosis").get(f"/diagnoses/{jobs[STAYS]}").json()
        yield {
            "house": house, "directory": directory, "jobs": jobs, "receipts": receipts, "before": before,
            "shown": shown, "erasure": house.erase(GONE),
        }  # fmt: skip


def test_the_patient_was_everywhere(erased: dict[str, Any]) -> None:
    """Else the tests below would prove nothing."""
    before = erased["before"]
    assert before["tables"] >= {
        "audit.consent", "audit.break_glass", "audit.break_glass_review", "imaging.instance", "imaging.owner",
        "notes.note", "vitals.sample", "vitals.arrival", "vitals.window", "vitals.import_job", "vitals.device_clock",
        "diagnosis.job", "diagnosis.feedback", "diagnosis.result", "ehr.card_feedback",
    }  # fmt: skip
    assert len([path for path in before["blobs"] if erased["erasure"]["subjectRef"] in path]) == 5


def test_no_blob_ever_held_the_patient_in_clear(erased: dict[str, Any]) -> None:
    assert not any(WORDS.encode() in content for content in erased["before"]["blobs"].values())


def test_no_table_holds_the_patient(erased: dict[str, Any]) -> None:
    assert tables_holding(erased["directory"], GONE, WORDS) == set()


def test_no_blob_of_the_patient_is_left(erased: dict[str, Any]) -> None:
    left, before = blobs_below(erased["directory"]), erased["before"]["blobs"]
    assert not any(GONE.encode() in content or WORDS.encode() in content for content in left.values())
    subject = erased["erasure"]["subjectRef"]
    assert [path for path in before if subject in path]
    assert [path for path in left if subject in path and not path.endswith(".closed")] == []


def test_not_even_a_free_page_of_a_database_holds_the_patient(erased: dict[str, Any]) -> None:
    files = [path for path in erased["directory"].rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".db"]) == 7
    words = (GONE.encode(), WORDS.encode())
    assert [path.name for path in files if any(word in path.read_bytes() for word in words)] == []


def test_an_older_copy_of_the_databases_holds_no_text_of_a_note(erased: dict[str, Any]) -> None:
    """What was looked through was a copy from before the erasure; the notes were there, and their texts sealed."""
    assert "notes.note" in erased["before"]["tables"]
    assert not any(WORDS.encode() in content for content in erased["before"]["notes"].values())


def test_every_service_says_what_it_has_erased(erased: dict[str, Any]) -> None:
    receipts = {one["service"]: one["stores"] for one in erased["erasure"]["receipts"]}
    assert receipts["imaging"] == {"instance": 1, "owner": 2, "quality": 1, "blobs": 2}
    assert receipts["notes"] == {"note": 3, "note_end": 1, "note_analysis": 3, "hl7_document": 1, "hl7_message": 1}
    assert receipts["vitals"]["sample"] == 7
    assert receipts["vitals"]["import_job"] == 2 + 1  # the other patient's unnamed one too
    assert receipts["diagnosis"] | {"blobs": 0} == {"job": 1, "result": 1, "feedback": 1, "blobs": 0}
    assert receipts["ehr"] == {"cards": 1, "card_feedback": 1}
    assert receipts["audit"] == {"consent": 1, "break_glass": 1, "break_glass_review": 1}


def test_the_log_tells_of_it_by_pseudonym(erased: dict[str, Any]) -> None:
    house, erasure = erased["house"], erased["erasure"]
    leaf = house.client("audit", Role.AUDITOR).get(f"/audit/entries/{erasure['index']}").json()["leaf"]["event"]
    assert (leaf["type"], leaf["subtype"], leaf["action"]) == ("erasure", "patient-erased", "D")
    assert leaf["subjectRef"] == erasure["subjectRef"]
    assert leaf["details"]["receipts"] == {one["service"]: one["stores"] for one in erasure["receipts"]}
    assert GONE not in json.dumps(leaf)


def test_another_patient_keeps_everything(erased: dict[str, Any]) -> None:
    house, job = erased["house"], erased["jobs"][STAYS]
    assert house.client("diagnosis").get(f"/diagnoses/{job}").json() == erased["shown"]
    assert replay(house.worker, job).verdict == "bitwise"
    notes = house.post("notes", "/notes/search", {"patient": STAYS})["items"]
    assert len(notes) == 3
    listed = house.post("vitals", "/internal/vitals/evidence", {"patient": STAYS}, Role.SERVICE)
    assert listed["items"]


def test_every_receipt_from_before_still_verifies(erased: dict[str, Any], tmp_path: Path) -> None:
    key = str(erased["directory"] / "log.pub")
    assert len(erased["receipts"]) > 20
    for number, text in erased["receipts"].items():
        file = tmp_path / f"{number}.receipt"
        file.write_text(text)
        assert verify(["receipt", str(file), "--key", key]) == 0


def test_the_whole_log_still_verifies(erased: dict[str, Any]) -> None:
    directory = erased["directory"]
    assert verify(["log", f"sqlite:///{directory}/audit.db", "--key", str(directory / "log.pub")]) == 0


def test_an_export_still_verifies(erased: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "export.ndjson"
    file.write_bytes(erased["house"].client("audit", Role.AUDITOR).get("/audit/export").content)
    assert verify(["export", str(file), "--key", str(erased["directory"] / "log.pub")]) == 0


def test_a_replay_says_that_the_inputs_are_erased(erased: dict[str, Any]) -> None:
    assert replay(erased["house"].worker, erased["jobs"][GONE]).verdict == "inputs-erased"


def test_the_diagnosis_is_gone_and_says_so(erased: dict[str, Any]) -> None:
    diagnosis, job = erased["house"].client("diagnosis"), erased["jobs"][GONE]
    answers = [diagnosis.get(f"/diagnoses/{job}{path}") for path in ("", "/manifest")]
    assert [(one.status_code, one.json()["type"]) for one in answers] == [(404, "urn:consilium:problem:erased")] * 2
    assert job not in [one["id"] for one in diagnosis.get("/diagnoses").json()["items"]]


def test_workers_forgot_what_they_kept_in_memory(erased: dict[str, Any]) -> None:
    assert erased["house"].predictor.forgotten >= 1


def test_consents_stay_by_pseudonym(erased: dict[str, Any]) -> None:
    answer = erased["house"].client("audit", Role.AUDITOR).get("/consents", params={"patient": GONE}).json()
    assert [one["patient"] for one in answer["items"]] == [erased["erasure"]["subjectRef"]]


def test_erasing_again_finds_nothing(erased: dict[str, Any]) -> None:
    again = erased["house"].erase(GONE)
    assert again["id"] != erased["erasure"]["id"]
    assert {one["service"]: one["stores"] for one in again["receipts"]} == {name: {} for name in (*SERVICES, "audit")}


def test_new_data_may_come_and_be_used(erased: dict[str, Any]) -> None:
    house: House = erased["house"]
    job = house.admit("LATER-1", "CanaryLater")
    house.erase("LATER-1")
    again = house.admit("LATER-1", "CanaryLater")
    assert again != job
    assert replay(house.worker, again).verdict == "bitwise"


def test_a_running_job_of_the_patient_releases_nothing(erased: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Erased between the last question of consent and the release: the schedule that matters."""
    from services.diagnosis import running

    house: House = erased["house"]
    house.admit("RUNS-1", "CanaryRuns")
    job = str(house.post("diagnosis", "/diagnoses", {"patient": "RUNS-1"})["id"])
    release = running._release

    def _late(*arguments: Any) -> bool:
        house.erase("RUNS-1")
        return release(*arguments)

    monkeypatch.setattr(running, "_release", _late)
    run_job(house.worker, job)
    assert house.client("diagnosis").get(f"/diagnoses/{job}").status_code == 404
    assert tables_holding(erased["directory"], "RUNS-1", "CanaryRuns") == set()
    assert not any(b"CanaryRuns" in content for content in blobs_below(erased["directory"]).values())


@pytest.mark.parametrize("service", [*SERVICES, "audit"])
def test_every_table_is_erased_from_or_says_why_not(service: str) -> None:
    """Whoever adds a table decides this, and writes down why it may stay."""
    rows, erasing = _tables(service), _erasing(service)
    kept = set(erasing.KEPT)
    assert kept <= rows
    assert all(len(reason) >= 6 for reason in erasing.KEPT.values())
    source = Path(str(erasing.__file__)).read_text()
    beside = Path(str(erasing.__file__)).parent / "imports" / "erasing.py"
    source += beside.read_text() if beside.exists() else ""
    unreached = {table for table in rows - kept if _row_class(service, table) not in source}
    assert unreached == set(), "erase from these, or list them in KEPT with a reason"


def _metadata(service: str) -> Any:
    places = {"diagnosis": "services.diagnosis.rows", "audit": "services.audit.store.rows"}
    if service == "vitals":
        importlib.import_module("services.vitals.imports.store")
    return importlib.import_module(places.get(service, f"services.{service}.store")).Base


def _erasing(service: str) -> Any:
    place = "services.audit.store.erasures" if service == "audit" else f"services.{service}.erasing"
    return importlib.import_module(place)


def _tables(service: str) -> set[str]:
    return set(_metadata(service).metadata.tables)


def _row_class(service: str, table: str) -> str:
    mappers = _metadata(service).registry.mappers
    name: str = next(mapper.class_.__name__ for mapper in mappers if mapper.local_table.name == table)
    return name


# --- a restored backup ------------------------------------------------------------------------------------------------


def test_a_restored_backup_is_erased_from_again_at_the_start(tmp_path: Path) -> None:
    """Databases, the log's among them, and blobs are put back as they were before the erasure."""
    directory, backup = tmp_path / "suite", tmp_path / "backup"
    directory.mkdir()
    with open_house(directory) as house:
        bed = house.bed
        job = house.admit(GONE, WORDS)
        house.admit(STAYS, OTHER)
        copy_of_state(directory, backup)
        done = house.erase(GONE)
    restore(directory, backup)
    assert tables_holding(directory, GONE, WORDS)
    assert readable_images(directory, bed) == {STAYS}
    with open_house(directory, bed=bed) as house:
        found = house.finished(done["id"])
        assert {one["service"]: one["stores"] for one in found["receipts"]} == {
            one["service"]: one["stores"] for one in done["receipts"]
        }
        leaf = house.client("audit", Role.AUDITOR).get(f"/audit/entries/{found['index']}").json()["leaf"]["event"]
        assert (leaf["subtype"], leaf["subjectRef"]) == ("patient-erased-again", done["subjectRef"])
        assert replay(house.worker, job).verdict == "inputs-erased"
        assert tables_holding(directory, GONE, WORDS) == set()
        assert not any(WORDS.encode() in content for content in blobs_below(directory).values())
        assert len(house.post("notes", "/notes/search", {"patient": STAYS})["items"]) == 3


def test_a_restored_service_alone_is_erased_from_again_and_new_data_stay(tmp_path: Path) -> None:
    directory, backup = tmp_path / "suite", tmp_path / "backup"
    directory.mkdir()
    with open_house(directory) as house:
        bed = house.bed
        house.admit(GONE, WORDS)
        copy_of_state(directory, backup)
        done = house.erase(GONE)
        house.admit(GONE, "NewWords")
    for path in directory.glob("notes.db*"):
        path.unlink()
    shutil.copy(backup / "notes.db", directory / "notes.db")
    assert "notes.note" in tables_holding(directory, GONE)
    with open_house(directory, bed=bed) as house:
        eventually(lambda: house.erasure(done["id"])["index"] != done["index"], what="the erasure")
        again = house.finished(done["id"])
        assert "notes.note" not in tables_holding(directory, GONE)
        assert next(one["stores"] for one in again["receipts"] if one["service"] == "notes")["note"] == 3
        assert {"imaging.instance", "vitals.sample"} <= tables_holding(directory, "NewWords", GONE)


def test_after_an_ordinary_restart_nothing_is_erased_again(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        bed = house.bed
        house.admit(GONE, WORDS)
        done = house.erase(GONE)
        house.admit(GONE, "NewWords")
    with open_house(tmp_path, bed=bed) as house:
        eventually(lambda: house.client("audit").get("/readyz").status_code == 200)
        assert house.erasure(done["id"])["index"] == done["index"]
        assert len(house.post("notes", "/notes/search", {"patient": GONE})["items"]) == 3


def readable_images(directory: Path, bed: TestBed) -> set[str]:
    """Whose images the blobs and the keys in a directory still give, while no service runs there."""
    runtime = build_runtime("imaging", bed.common, bed.sqlite("imaging"), OutboxRow)
    found = set()
    with reading(runtime.sessions) as session:
        for row in session.scalars(sa.select(InstanceRow)):
            with contextlib.suppress(NotFound):
                reads.blobs_of(runtime, row).get(row.digest)
                found.add(row.patient)
    runtime.audit.close()
    runtime.keys.close()
    runtime.sessions.kw["bind"].dispose()
    return found


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_the_same_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    def _url(service: str) -> str:
        url = sa.engine.make_url(postgres_url).update_query_dict({"options": f"-csearch_path={service}"})
        return url.render_as_string(hide_password=False)

    with open_house(tmp_path, _url) as house:
        house.admit(GONE, WORDS)
        job = house.admit(STAYS, OTHER)
        erasure = house.erase(GONE)
        assert all(one["stores"] is not None for one in erasure["receipts"])
        assert replay(house.worker, job).verdict == "bitwise"
        engine = sa.create_engine(postgres_url)
        with engine.connect() as connection:
            named = sa.text(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = ANY(:schemas)"
            )
            for schema, table in connection.execute(named, {"schemas": [*SERVICES, "audit"]}).all():
                for row in connection.execute(sa.text(f'SELECT * FROM "{schema}"."{table}"')):
                    text = " ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row)
                    assert not [word for word in (GONE, WORDS) if word in text], f"{schema}.{table}"
        engine.dispose()
