"""`consilium synth` to disk and into a listening suite."""

from __future__ import annotations

import email.parser
import email.policy
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from services.diagnosis.ward.cli import parse_anchor, synth
from services.diagnosis.ward.conditions import SHIFTS
from services.diagnosis.ward.generate import generate_patient
from shared.codes import DIAGNOSES


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(synth)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The same ten patients written by one process and by two."""
    directories = {}
    for processes in (1, 2):
        directories[processes] = tmp_path_factory.mktemp(f"by-{processes}")
        code, output = run(
            "-n", "10", "--seed", "3", "--out", str(directories[processes]), "--processes", str(processes)
        )
        assert code == 0, output
    return directories


def content(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def truths(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / "truth.ndjson").read_text(encoding="utf-8").splitlines()]


def test_two_processes_write_the_same_bytes_as_one(written: dict[int, Path]) -> None:
    assert content(written[1]) == content(written[2])


def test_there_is_one_file_and_one_line_for_each_patient(written: dict[int, Path]) -> None:
    assert len(list((written[1] / "dicom").glob("*.dcm"))) == 10
    assert len((written[1] / "notes.ndjson").read_text(encoding="utf-8").splitlines()) == 10
    assert [truth["patient"] for truth in truths(written[1])] == [f"WARD-3-{index:06d}" for index in range(10)]


def test_the_truth_names_the_diagnosis_by_its_snomed_code(written: dict[int, Path]) -> None:
    for index, truth in enumerate(truths(written[1])):
        code = DIAGNOSES[generate_patient(3, index).latents.label].code
        assert truth["diagnosis"]["code"] == code  # type: ignore[index]


def test_the_truths_spans_cut_findings_out_of_the_written_note(written: dict[int, Path]) -> None:
    notes = [
        json.loads(line)["text"] for line in (written[1] / "notes.ndjson").read_text(encoding="utf-8").splitlines()
    ]
    for index, truth in enumerate(truths(written[1])):
        expected = [generate_patient(3, index).note.text[s:e] for s, e, _, _ in generate_patient(3, index).note.spans]
        assert [notes[index][span["start"] : span["end"]] for span in truth["spans"]] == expected  # type: ignore[attr-defined]


def test_mask_files_are_as_large_as_their_image(written: dict[int, Path]) -> None:
    for truth in truths(written[1]):
        ds = pydicom.dcmread(written[1] / "dicom" / f"{truth['patient']}.dcm")
        for name in truth["masks"].values():  # type: ignore[attr-defined]
            mask = np.asarray(Image.open(written[1] / name))
            assert mask.shape == (ds.Rows, ds.Columns)
            assert mask.any()


def test_synth_without_a_destination_says_what_to_give() -> None:
    code, output = run("-n", "1")
    assert code == 2
    assert "--out" in output


@pytest.mark.parametrize("text", ["yesterday", "2026-01-01T00:00:00"])
def test_an_anchor_that_is_no_time_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_anchor(text)


def test_an_anchor_of_now_keeps_every_case_within_the_last_hour() -> None:
    anchor, spread_h = parse_anchor("now")
    as_of = [generate_patient(1, index, anchor=anchor, spread_h=spread_h).as_of for index in range(30)]
    assert max(as_of) <= datetime.now(UTC)
    assert min(as_of) > datetime.now(UTC) - timedelta(hours=1)


class Receiver(BaseHTTPRequestHandler):
    """A suite's doors as the public contract describes them, keeping what comes in."""

    received: list[tuple[str, str, bytes]]
    answers: dict[str, list[int]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refusals = self.answers.get(self.path, [])
        status = refusals.pop(0) if refusals else 200
        if status == 200:
            self.received.append((self.path, self.headers["Content-Type"], body))
        lines = len(body.splitlines())
        answer = json.dumps({"accepted": lines, "duplicates": 0, "rejected": [], "title": "Not today"}).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet."""


@pytest.fixture
def suite() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("OneReceiver", (Receiver,), {"received": [], "answers": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
        server.shutdown()


def test_a_patient_arrives_as_consent_image_note_and_vitals(suite: tuple[str, type[Receiver]]) -> None:
    url, receiver = suite
    code, output = run("-n", "1", "--seed", "5", "--into", url, "--processes", "1")
    assert code == 0, output
    assert [path for path, _, _ in receiver.received] == ["/consents", "/dicomweb/studies", "/notes", "/vitals/samples"]
    patient = generate_patient(5, 0)
    _, kind, body = receiver.received[1]
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + body
    )
    (part,) = message.iter_parts()
    assert part.get_content_type() == "application/dicom"
    ds = pydicom.dcmread(BytesIO(part.get_payload(decode=True)))  # type: ignore[arg-type]
    np.testing.assert_array_equal(ds.pixel_array, patient.stored)
    assert json.loads(receiver.received[2][2]) == patient.note_json()
    assert receiver.received[3][2].decode() == patient.vitals_ndjson()


def test_what_a_patient_lacks_is_not_sent(suite: tuple[str, type[Receiver]]) -> None:
    url, receiver = suite
    arguments = ("--seed", "5", "--into", url, "--processes", "1", "--shift", "missing-at-random")
    assert run("-n", "6", *arguments)[0] == 0
    doors = {"image": "/dicomweb/studies", "note": "/notes", "vitals": "/vitals/samples"}
    expected = []
    for index in range(6):
        available = generate_patient(5, index, conditions=SHIFTS["missing-at-random"]).available
        expected += ["/consents", *(door for modality, door in doors.items() if modality in available)]
    assert [path for path, _, _ in receiver.received] == expected
    assert len(expected) < 24


def test_a_busy_suite_is_asked_again(suite: tuple[str, type[Receiver]]) -> None:
    url, receiver = suite
    receiver.answers["/notes"] = [503, 429]
    assert run("-n", "1", "--into", url, "--processes", "1")[0] == 0
    assert [path for path, _, _ in receiver.received].count("/notes") == 1


def test_a_refusal_stops_with_its_reason(suite: tuple[str, type[Receiver]]) -> None:
    url, receiver = suite
    receiver.answers["/consents"] = [403]
    code, output = run("-n", "1", "--into", url, "--processes", "1")
    assert code == 1
    assert "403" in output
    assert "Not today" in output
