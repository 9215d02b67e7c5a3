"""The main job, end to end: a radiograph, a note and vitals in; a calibrated, explained, logged diagnosis out."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import hl7.client
import httpx
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from services.diagnosis.ward.patient import WardPatient
from shared.auth import Role
from tests.support.cases import ALL, Case, admit, consent, consilium, entries_about, save
from tests.support.suite import RunningSuite, until

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]
PROPOSED = {JPEGLSLossless: ["-xt"], JPEG2000Lossless: ["-xv"], RLELossless: ["-xr"]}
"""What storescu, which recodes nothing, has to be told of a file that is compressed."""


@pytest.fixture(scope="module")
def case(suite: RunningSuite, ward: NextPatient) -> Case:
    """An admitted patient with everything."""
    case = Case.of(ward())
    admit(suite, case)
    return case


@pytest.fixture(scope="module")
def result(suite: RunningSuite, case: Case) -> dict[str, Any]:
    """The diagnosis of that patient."""
    return suite.diagnose(case.patient, key=f"main-{case.patient}")


def test_the_result_is_whole(result: dict[str, Any], case: Case) -> None:
    assert result["status"] in ("succeeded", "abstained")
    assert result["case"]["patient"] == case.patient
    assert {name: m["status"] for name, m in result["modalities"].items()} == dict.fromkeys((*ALL, "tabular"), "used")
    assert result["model"]["digest"].startswith("sha256:")
    assert set(result["timings"]) == {"queued", "fetch", "encode", "fuse", "explain", "total"}
    assert 0 <= result["risks"]["deterioration24h"]["probability"] <= 1
    assert len(result["explanation"]["images"]) == 1
    assert result["explanation"]["notes"][0]["spans"]
    assert result["explanation"]["vitals"]
    assert result["explanation"]["summary"]


def test_probabilities_are_ranked_sum_to_one_and_lie_in_their_intervals(result: dict[str, Any]) -> None:
    ranked = [d["probability"] for d in result["diagnoses"]]
    assert ranked == sorted(ranked, reverse=True)
    assert sum(ranked) == pytest.approx(1, abs=1e-6)
    assert all(d["interval"][0] <= d["probability"] <= d["interval"][1] for d in result["diagnoses"])


def test_a_spanish_note_is_set_aside_with_the_reason(suite: RunningSuite, ward: NextPatient) -> None:
    text = "Paciente de 70 años que acude por fiebre y tos productiva de tres días de evolución. No refiere dolor."
    case = Case.of(ward()).with_note(text)
    admit(suite, case)
    result = suite.diagnose(case.patient)
    note = result["modalities"]["note"]
    assert note["status"] == "rejected"
    assert note["quality"]["reason"] == "it is written in Spanish, and this model reads English alone"
    assert result["modalities"]["image"]["status"] == "used"


def test_uncertainty_adds_up(result: dict[str, Any]) -> None:
    u = result["uncertainty"]
    assert u["total"] == pytest.approx(u["aleatoric"] + u["epistemic"], abs=1e-6)
    assert 0 <= u["total"] <= math.log(len(result["diagnoses"])) + 1e-6


def test_contributions_add_up_to_the_first_diagnosis(result: dict[str, Any]) -> None:
    explained = result["explanation"]["modalities"]
    first = result["diagnoses"][0]
    assert explained["code"] == first["code"]["code"]
    log_odds = math.log(first["probability"] / (1 - first["probability"]))
    assert explained["base"] + sum(explained["contributions"].values()) == pytest.approx(log_odds, abs=1e-3)


def test_spans_lie_in_the_note_and_windows_in_the_case(result: dict[str, Any], case: Case) -> None:
    for span in result["explanation"]["notes"][0]["spans"]:
        assert 0 <= span["start"] < span["end"] <= len(case.note["text"])
        assert case.note["text"][span["start"] : span["end"]].strip()
    codes = {sample["code"] for sample in case.samples}
    assert {window["code"] for window in result["explanation"]["vitals"]} <= codes


def test_the_heat_map_is_a_picture_of_the_image_s_shape(
    suite: RunningSuite, result: dict[str, Any], case: Case
) -> None:
    explained = result["explanation"]["images"][0]
    assert explained["instance"] == case.dataset.SOPInstanceUID
    picture = Image.open(io.BytesIO(suite.clinician.get(explained["heatmap"]).raise_for_status().content))
    assert picture.mode == "RGBA"
    assert picture.width / picture.height == pytest.approx(case.dataset.Columns / case.dataset.Rows, rel=0.05)


def test_every_sentence_of_the_summary_names_known_evidence(result: dict[str, Any]) -> None:
    known = {e for m in result["modalities"].values() for e in m["evidence"]}
    named = {e for sentence in result["explanation"]["summary"] for e in sentence["evidence"]}
    assert named
    assert named <= known


def test_the_manifest_has_the_case_s_digest(suite: RunningSuite, result: dict[str, Any]) -> None:
    manifest = suite.clinician.get(f"/diagnoses/{result['id']}/manifest").raise_for_status().content
    assert result["case"]["digest"] == "sha256:" + hashlib.sha256(manifest).hexdigest()
    assert result["case"]["patient"].encode() not in manifest


def test_the_receipt_proves_the_prediction_with_the_public_key_alone(
    suite: RunningSuite, result: dict[str, Any], out: Path
) -> None:
    receipt, key = out / "receipt.tlog-proof", out / "log.vkey"
    receipt.write_text(suite.clinician.get(result["audit"]["receipt"]).raise_for_status().text)
    key.write_text(suite.auditor.get("/audit/key").raise_for_status().text)
    verdict = consilium("audit", "verify", str(receipt), "--key", str(key))
    assert str(result["audit"]["index"]) in verdict.stdout
    receipt.write_text(receipt.read_text().replace("index ", "index 1", 1))
    assert consilium("audit", "verify", str(receipt), "--key", str(key), check=False).returncode == 1


def test_the_log_entry_names_model_and_manifest_and_no_patient(
    suite: RunningSuite, result: dict[str, Any], case: Case
) -> None:
    (entry,) = entries_about(suite, result["id"])
    text = json.dumps(entry)
    assert entry["index"] == result["audit"]["index"]
    assert result["model"]["digest"] in text
    assert case.patient not in text
    assert case.note["text"][:40] not in text


def test_the_same_request_again_is_the_same_diagnosis(suite: RunningSuite, result: dict[str, Any], case: Case) -> None:
    body, key = {"patient": case.patient}, {"Idempotency-Key": f"main-{case.patient}"}
    again = suite.clinician.post("/diagnoses", json=body, headers=key)
    assert (again.status_code, again.headers["location"]) == (202, f"/diagnoses/{result['id']}")
    other = suite.clinician.post("/diagnoses", json={**body, "priority": "stat"}, headers=key)
    assert other.status_code == 409


def test_the_same_case_gives_the_same_answer(suite: RunningSuite, result: dict[str, Any], case: Case) -> None:
    again = suite.diagnose(case.patient)
    assert again["id"] != result["id"]
    assert again["case"]["digest"] == result["case"]["digest"]
    assert again["diagnoses"] == result["diagnoses"]
    assert again["explanation"]["modalities"] == result["explanation"]["modalities"]


def test_progress_is_streamed_to_the_end(suite: RunningSuite, case: Case) -> None:
    job = suite.clinician.post("/diagnoses", json={"patient": case.patient}).raise_for_status().json()
    with suite.clinician.stream("GET", f"/diagnoses/{job['id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = "".join(stream.iter_text())
    assert "event: done" in text


@pytest.mark.parametrize("subset", [("image",), ("note",), ("vitals",), ("image", "note"), ("note", "vitals")])
def test_any_subset_of_modalities_is_enough(suite: RunningSuite, ward: NextPatient, subset: tuple[str, ...]) -> None:
    case = Case.of(ward())
    admit(suite, case, evidence=subset)
    result = suite.diagnose(case.patient)
    statuses = {name: m["status"] for name, m in result["modalities"].items()}
    stated = {"tabular"} if "image" in subset else set()  # a radiograph states age and sex
    assert {name for name, status in statuses.items() if status == "used"} == set(subset) | stated
    assert {statuses[name] for name in ALL if name not in subset} == {"missing"}
    assert sum(d["probability"] for d in result["diagnoses"]) == pytest.approx(1, abs=1e-6)


def test_only_the_modalities_asked_for_are_used(suite: RunningSuite, case: Case) -> None:
    result = suite.diagnose(case.patient, modalities=["vitals"])
    assert {n for n, m in result["modalities"].items() if m["status"] == "used"} == {"vitals"}


def test_a_modality_without_consent_is_not_read(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    admit(suite, case, consents=("image", "vitals"))
    result = suite.diagnose(case.patient)
    assert result["modalities"]["note"]["status"] == "no-consent"
    assert result["explanation"]["notes"] == []
    assert "note" not in result["explanation"]["modalities"]["contributions"]
    reads = suite.auditor.get("/audit/entries", params={"type": "read", "producer": "notes"}).raise_for_status().json()
    assert result["id"] not in json.dumps(reads)


def test_without_any_consent_there_is_no_diagnosis(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    admit(suite, case, consents=None)
    result = suite.diagnose(case.patient)
    assert result["status"] == "abstained"
    assert not result["diagnoses"]
    assert {m["status"] for m in result["modalities"].values()} == {"no-consent"}
    assert result["reasons"]


def test_a_later_denial_bites(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    admit(suite, case)
    assert suite.diagnose(case.patient)["modalities"]["note"]["status"] == "used"
    assert consent(suite.ehr, case.patient, ["note"], decision="deny").status_code == 201
    assert suite.diagnose(case.patient)["modalities"]["note"]["status"] == "no-consent"


def test_a_withdrawn_consent_bites(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    admit(suite, case, consents=None)
    given = consent(suite.ehr, case.patient).json()
    assert suite.diagnose(case.patient)["modalities"]["image"]["status"] == "used"
    assert suite.ehr.post(f"/consents/{given['id']}/withdraw").status_code == 200
    assert suite.diagnose(case.patient)["status"] == "abstained"


def test_feedback_is_kept_and_logged(suite: RunningSuite, result: dict[str, Any]) -> None:
    body = {"action": "override", "code": "233604007", "text": "crackles on the right"}
    assert suite.clinician.post(f"/diagnoses/{result['id']}/feedback", json=body).is_success

    def logged() -> bool:
        return bool(entries_about(suite, result["id"], "feedback"))

    until(logged, 20, "the feedback's log entry")


def test_the_ehr_reads_the_report(suite: RunningSuite, result: dict[str, Any], case: Case) -> None:
    report = suite.ehr.get(f"/fhir/DiagnosticReport/{result['id']}").raise_for_status().json()
    assert (report["resourceType"], report["status"]) == ("DiagnosticReport", "preliminary")
    bundle = suite.ehr.get("/fhir/DiagnosticReport", params={"patient": case.patient}).raise_for_status().json()
    assert result["id"] in {entry["resource"]["id"] for entry in bundle["entry"]}


def test_the_chart_shows_a_card(suite: RunningSuite, result: dict[str, Any], case: Case) -> None:
    services = suite.ehr.get("/cds-services").raise_for_status().json()["services"]
    assert [s["id"] for s in services if s["hook"] == "patient-view"] == ["consilium-acute-chest"]
    request = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": case.patient},
    }
    (card, *_) = suite.ehr.post("/cds-services/consilium-acute-chest", json=request).raise_for_status().json()["cards"]
    assert len(card["summary"]) < 140
    assert card["indicator"] in ("info", "warning", "critical")


def test_a_radiograph_sent_by_storescu_is_diagnosed(suite: RunningSuite, ward: NextPatient, out: Path) -> None:
    if not shutil.which("storescu"):
        pytest.skip("dcmtk's storescu is not installed (Debian package dcmtk)")
    case = Case.of(ward())
    path = save(out, case)
    proposed = PROPOSED.get(case.dataset.file_meta.TransferSyntaxUID, [])
    command = ["storescu", *proposed, "-aec", "CONSILIUM", "127.0.0.1", str(suite.dimse_port), str(path)]
    subprocess.run(command, check=True, timeout=60)
    consent(suite.ehr, case.patient, ["image"])
    assert suite.diagnose(case.patient)["modalities"]["image"]["status"] == "used"


def test_a_note_sent_by_hl7_v2_is_diagnosed(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    authored = datetime.fromisoformat(case.note["authored"]).strftime("%Y%m%d%H%M%S%z")
    text = case.note["text"].replace("\\", "\\E\\").replace("|", "\\F\\").replace("~", "\\R\\").replace("\n", "\\.br\\")
    lines = ["MSH|^~\\&|EHR|WARD|CONSILIUM|WARD|20260101000000+0000||MDM^T02|HL7-1|P|2.5.1||||||UNICODE UTF-8"]
    lines += [f"PID|1||{case.patient}", f"TXA|1|{case.note['type']}|TX|||{authored}||||||HL7-1"]
    with hl7.client.MLLPClient("127.0.0.1", suite.mllp_port) as sender:
        answer = sender.send_message("\r".join([*lines, f"OBX|1|FT|||{text}||||||F\r"]))
    assert b"MSA|AA|HL7-1" in answer
    consent(suite.ehr, case.patient, ["note"])
    assert suite.diagnose(case.patient)["modalities"]["note"]["status"] == "used"


def test_what_was_stored_can_be_retrieved(suite: RunningSuite, case: Case) -> None:
    found = suite.clinician.get("/dicomweb/studies", params={"PatientID": case.patient}).raise_for_status().json()
    (study,) = found
    uid = study["0020000D"]["Value"][0]
    assert uid == case.dataset.StudyInstanceUID
    series, sop = case.dataset.SeriesInstanceUID, case.dataset.SOPInstanceUID
    url = f"/dicomweb/studies/{uid}/series/{series}/instances/{sop}/rendered"
    picture = Image.open(io.BytesIO(suite.clinician.get(url).raise_for_status().content))
    assert picture.size == (case.dataset.Columns, case.dataset.Rows)


def test_no_log_and_no_metric_names_the_patient(suite: RunningSuite, result: dict[str, Any], case: Case) -> None:
    metrics = suite.client(Role.ADMIN).get("/metrics").text if suite.topology == "embedded" else ""
    written = metrics + "".join(path.read_text(errors="replace") for path in suite.data.logs.glob("*.log"))
    assert len(written) > 0
    for secret in (case.patient, case.note["text"][:30], str(case.dataset.PatientName), case.dataset.SOPInstanceUID):
        assert secret not in written


def test_no_leaf_of_the_public_log_names_the_patient(suite: RunningSuite, case: Case) -> None:
    size = int(suite.clinician.get("/audit/checkpoint").text.splitlines()[1])
    width = size % 256
    bundle = httpx.get(f"{suite.address}/audit/tile/entries/{size // 256:03d}.p/{width}", trust_env=False)
    assert bundle.status_code == 200
    for secret in (case.patient, case.note["text"][:30], case.dataset.SOPInstanceUID):
        assert secret.encode() not in bundle.content
