"""Nothing in the path is faked: change one thing in the evidence, and probabilities and explanations follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from services.diagnosis.ward.patient import WardPatient
from tests.support.cases import Case, admit, probabilities
from tests.support.suite import RunningSuite

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]


def test_one_region_of_the_image_changes_the_answer(embedded_suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    pixels = case.dataset.pixel_array.copy()
    rows, columns = pixels.shape
    box = np.s_[rows // 2 : rows // 2 + rows // 5, columns // 5 : columns // 5 + columns // 5]
    # Dense tissue where there was lung: the grey level of the spine, whichever way the pixels are stored.
    pixels[box] = np.median(pixels[rows // 2 : rows // 2 + rows // 5, columns // 2 - 8 : columns // 2 + 8])
    changed = case.renamed(f"{case.patient}-PIX").with_pixels(pixels)
    for one in (case, changed):
        admit(embedded_suite, one, evidence=("image",))
    before, after = (embedded_suite.diagnose(c.patient) for c in (case, changed))
    assert probabilities(before) != probabilities(after)
    regions = [r["explanation"]["images"][0]["regions"] for r in (before, after)]
    assert regions[0] != regions[1]


def test_one_sentence_of_the_note_changes_the_answer(embedded_suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    addition = " Sudden pleuritic chest pain and haemoptysis, with a swollen left calf after a long flight."
    changed = case.renamed(f"{case.patient}-NOTE").with_note(case.note["text"] + addition)
    for one in (case, changed):
        admit(embedded_suite, one, evidence=("note",))
    before, after = (embedded_suite.diagnose(c.patient) for c in (case, changed))
    assert probabilities(before) != probabilities(after)
    assert before["explanation"]["notes"][0]["spans"] != after["explanation"]["notes"][0]["spans"]


SPANISH = (
    "El paciente refiere dolor torácico de tres días de evolución, con tos productiva y fiebre. A la exploración está "
    "consciente y orientado, con crepitantes en la base derecha. Se solicita radiografía de tórax y analítica."
)


def test_newer_notes_in_another_language_displace_no_note_that_is_read(
    embedded_suite: RunningSuite, ward: NextPatient
) -> None:
    case = Case.of(ward())
    admit(embedded_suite, case, evidence=("note",))
    alone = embedded_suite.diagnose(case.patient)
    authored = datetime.fromisoformat(case.note["authored"])
    for minutes in range(1, 4):
        at = (authored + timedelta(minutes=minutes)).isoformat()
        sent = embedded_suite.ehr.post("/notes", json={**case.note, "authored": at, "text": SPANISH})
        assert sent.status_code == 201
    beside = embedded_suite.diagnose(case.patient, asOf=case.note["authored"])
    among = embedded_suite.diagnose(case.patient)
    found = among["modalities"]["note"]
    assert (found["status"], found["evidence"]) == ("used", alone["modalities"]["note"]["evidence"])
    assert len(found["quality"]["setAside"]) == 3
    assert probabilities(beside) == probabilities(alone)


def test_a_negated_finding_counts_otherwise_than_an_asserted_one(
    embedded_suite: RunningSuite, ward: NextPatient
) -> None:
    case = Case.of(ward())
    note = (
        "HPI: 72yo man p/w SOB x 3d. {}\nPMH: HTN. Hx: coronary artery disease.\n"
        "O/E: Alert. Speaks in sentences. Heart sounds normal.\nA/P: CXR, bloods, monitor."
    )
    reported, denied = "Reports fever. Has had productive cough for 3 days.", "Denies fever. No productive cough."
    asserted = case.renamed(f"{case.patient}-YES").with_note(note.format(reported))
    negated = case.renamed(f"{case.patient}-NO").with_note(note.format(denied))
    for one in (asserted, negated):
        admit(embedded_suite, one, evidence=("note",))
    yes, no = (embedded_suite.diagnose(c.patient) for c in (asserted, negated))
    pneumonia = "233604007"
    assert probabilities(yes)[pneumonia] > probabilities(no)[pneumonia]


def test_one_vital_sign_changes_the_answer(embedded_suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    samples = tuple(
        {**s, "value": min(float(s["value"]) + 45, 190)} if s["code"] == "8867-4" and s["unit"] == "/min" else s
        for s in case.samples
    )
    changed = replace(case.renamed(f"{case.patient}-HR"), samples=())
    changed = replace(changed, samples=tuple({**s, "patient": changed.patient} for s in samples))
    for one in (case, changed):
        admit(embedded_suite, one, evidence=("vitals",))
    before, after = (embedded_suite.diagnose(c.patient) for c in (case, changed))
    assert probabilities(before) != probabilities(after)
    assert before["explanation"]["vitals"] != after["explanation"]["vitals"]


def test_different_patients_get_different_answers(embedded_suite: RunningSuite, ward: NextPatient) -> None:
    answers = []
    for _ in range(3):
        case = Case.of(ward())
        admit(embedded_suite, case)
        answers.append(tuple(sorted(probabilities(embedded_suite.diagnose(case.patient)).items())))
    assert len(set(answers)) == 3
