"""Patients are a function of seed and number; cases hold what the suite would be told."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest

from services.diagnosis.ward.conditions import SHIFTS
from services.diagnosis.ward.dials import dial_ward
from services.diagnosis.ward.generate import ANCHOR, generate_patient, iter_cases


def test_the_same_number_is_the_same_patient() -> None:
    first, again = generate_patient(1, 42, side=128), generate_patient(1, 42, side=128)
    np.testing.assert_array_equal(first.stored, again.stored)
    assert (first.note, first.vitals_ndjson(), first.latents) == (again.note, again.vitals_ndjson(), again.latents)


def test_patients_are_those_of_before_they_had_a_severity() -> None:
    # labels, deterioration and confusion as they were drawn at bundle 0.4.0
    drawn = [generate_patient(7, index, side=64).latents for index in range(24)]
    assert "".join(str(latents.label) for latents in drawn) == "547105662542170744022067"
    assert [index for index, latents in enumerate(drawn) if latents.deterioration] == [0, 1, 9, 10, 18, 19, 22]
    assert [index for index, latents in enumerate(drawn) if latents.findings["confusion"] == "asserted"] == [
        0,
        4,
        17,
        21,
    ]


def test_what_is_rendered_first_does_not_matter() -> None:
    one, other = generate_patient(1, 43, side=128), generate_patient(1, 43, side=128)
    text, pixels = one.note.text, one.stored
    assert (other.stored == pixels).all()
    assert other.note.text == text


def test_one_process_and_two_give_the_same_cases() -> None:
    alone, shared = list(iter_cases(9, 5, 20, 64, 1)), list(iter_cases(9, 5, 20, 64, 2))
    assert [case.images[0].id for case, _ in shared] == [f"WARD-9-{index:06d}-image" for index in range(5, 25)]
    for (a, truth_a), (b, truth_b) in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(a.images[0].pixels, b.images[0].pixels)
        np.testing.assert_array_equal(a.vitals.values, b.vitals.values)  # type: ignore[union-attr]
        assert a.notes == b.notes
        assert (truth_a.label, truth_a.posterior, truth_a.windows) == (
            truth_b.label,
            truth_b.posterior,
            truth_b.windows,
        )


def test_conditions_and_model_reach_other_processes() -> None:
    shifted = SHIFTS["missing-not-at-random"]
    by = {
        processes: list(iter_cases(9, 0, 16, 64, processes, model=dial_ward("redundant"), conditions=shifted))
        for processes in (1, 2)
    }
    for (a, truth_a), (b, truth_b) in zip(by[1], by[2], strict=True):
        assert (truth_a.available, truth_a.posterior, truth_a.findings) == (
            truth_b.available,
            truth_b.posterior,
            truth_b.findings,
        )
        assert (bool(a.images), a.notes, a.vitals is None) == (bool(b.images), b.notes, b.vitals is None)
        assert bool(a.images) == ("image" in truth_a.available)
    copies = [(t.findings["interstitial_oedema"], t.findings["tachypnoea"]) for _, t in by[1]]
    assert all(first == second for first, second in copies)


def test_what_conditions_leave_out_comes_back_by_no_draw() -> None:
    for index in range(40):
        patient = generate_patient(9, index, side=64, conditions=SHIFTS["missing-at-random"])
        for missing in (0.0, 0.5, 1.0):
            case = patient.case(missing=missing)
            seen = {"image": bool(case.images), "note": bool(case.notes), "vitals": case.vitals is not None}
            assert {modality for modality, there in seen.items() if there} <= set(patient.available)
            assert any(seen.values())
            assert (case.age_years, case.sex) == (patient.person.age_years, patient.person.sex)


def test_the_size_of_the_image_changes_nothing_else() -> None:
    large, small = generate_patient(2, 7, side=512), generate_patient(2, 7, side=128)
    assert (large.latents, large.note, large.as_of) == (small.latents, small.note, small.as_of)


def test_an_anchor_moves_the_calendar_and_not_the_patient() -> None:
    anchor = datetime(2027, 3, 1, 8, 0, 0, tzinfo=UTC)
    here, there = generate_patient(2, 8), generate_patient(2, 8, anchor=anchor)
    assert there.as_of - here.as_of == anchor - ANCHOR
    assert there.note.text == here.note.text
    np.testing.assert_array_equal(here.stream.times_h, there.stream.times_h)


def test_nothing_is_later_than_the_case_and_no_case_later_than_the_anchor() -> None:
    for index in range(50):
        patient = generate_patient(3, index, side=64)
        case = patient.case()
        assert case.as_of <= ANCHOR
        assert max(case.images[0].effective_at, case.notes[0].authored) <= case.as_of
        assert case.vitals is not None
        assert case.vitals.times_h.max() <= 0


def test_each_modality_is_missing_as_often_as_asked_and_one_always_stays() -> None:
    cases = [generate_patient(4, index, side=64).case(missing=0.4) for index in range(150)]
    assert all(case.images or case.notes or case.vitals for case in cases)
    for absent in ([not c.images for c in cases], [not c.notes for c in cases], [c.vitals is None for c in cases]):
        assert 0.2 < np.mean(absent) < 0.55


def test_all_modalities_are_always_missing_but_one_at_probability_one() -> None:
    for index in range(10):
        case = generate_patient(4, index, side=64).case(missing=1.0)
        assert bool(case.images) + bool(case.notes) + (case.vitals is not None) == 1


def test_the_case_image_is_float32_in_unit_range_and_at_most_512_long() -> None:
    for side in (128, 512, 1024):
        image = generate_patient(5, 1, side=side).case().images[0]
        assert image.pixels.dtype == np.float32
        assert max(image.pixels.shape) == min(side, 512)
        assert image.rows == side
        assert 0 <= image.pixels.min() <= image.pixels.max() <= 1


def test_masks_lie_on_the_case_image() -> None:
    for side in (128, 1024):
        patient = next(
            p
            for p in (generate_patient(5, i, side=side) for i in range(40))
            if p.latents.findings["device"] != "absent"
        )
        shape = patient.case().images[0].pixels.shape
        assert {mask.shape for mask in patient.truth.masks.values()} == {shape}


def test_the_note_on_the_wire_is_that_of_the_case() -> None:
    patient = generate_patient(6, 3, side=64)
    body, note = patient.note_json(), patient.case().notes[0]
    assert (body["patient"], body["text"], body["type"]) == (patient.patient_id, note.text, note.type)
    assert datetime.fromisoformat(body["authored"]) == note.authored


def test_the_label_is_one_of_the_eight_and_all_occur() -> None:
    assert {generate_patient(7, index).latents.label for index in range(200)} == set(range(8))


@pytest.mark.slow
def test_one_core_renders_fifteen_whole_patients_a_second() -> None:
    """Processor time, which the machine's other work does not lengthen: 30 patients a second on two cores."""
    generate_patient(8, 0).dataset()
    started = time.process_time()
    for index in range(1, 41):
        patient = generate_patient(8, index)
        patient.dataset().save_as(BytesIO(), enforce_file_format=True)
        patient.note_json(), patient.vitals_ndjson(), patient.truth
    assert 40 / (time.process_time() - started) > 15
