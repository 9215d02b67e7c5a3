"""Shifts by name, and what each does to patients and not to their truth."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from services.diagnosis.ward.cli import synth
from services.diagnosis.ward.conditions import SHIFTS, STANDARD, UnknownShift, shift
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from services.diagnosis.ward.population import NEW_SITE, SITES

SAME_PEOPLE = [name for name, conditions in SHIFTS.items() if conditions.population == STANDARD.population]


def patients(name: str, count: int = 200) -> list[WardPatient]:
    return [generate_patient(21, index, side=64, conditions=SHIFTS[name]) for index in range(count)]


def test_there_are_the_shifts_that_are_promised() -> None:
    promised = (
        "standard new-scanner terse-notes copied-forward noisy-wearable skewed-clocks older-population new-site "
        "darker-skin label-noise missing-at-random missing-not-at-random"
    )
    assert set(SHIFTS) == set(promised.split())
    assert all(conditions.name == name and conditions.about for name, conditions in SHIFTS.items())


def test_every_shift_but_the_standard_changes_something() -> None:
    for name, conditions in SHIFTS.items():
        parts = [part for part in vars(conditions) if part not in {"name", "about"}]
        changed = [part for part in parts if getattr(conditions, part) != getattr(STANDARD, part)]
        assert bool(changed) == (name != "standard"), name


def test_an_unknown_shift_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownShift, match="no shift 'new-scaner'; there are standard, new-scanner"):
        shift("new-scaner")


def test_the_command_line_lists_every_shift_in_its_help_and_refuses_others() -> None:
    app = typer.Typer()
    app.command()(synth)
    help_text = CliRunner().invoke(app, ["--help"]).output
    assert [name for name in SHIFTS if name not in help_text] == []
    refused = CliRunner().invoke(app, ["-n", "1", "--out", "nowhere", "--shift", "full-moon"])
    assert refused.exit_code == 2
    assert "missing-at-random" in refused.output


@pytest.mark.parametrize("name", SHIFTS)
def test_conditions_travel_to_other_processes(name: str) -> None:
    assert pickle.loads(pickle.dumps(SHIFTS[name])) == SHIFTS[name]  # noqa: S301 - our own bytes


@pytest.mark.parametrize("name", SAME_PEOPLE)
def test_the_same_number_is_the_same_patient_seen_otherwise(name: str) -> None:
    for ours, theirs in zip(patients(name, 30), patients("standard", 30), strict=True):
        assert (ours.person, ours.latents) == (theirs.person, theirs.latents)


def test_the_older_population_is_older() -> None:
    ages = {name: np.mean([p.person.age_years for p in patients(name)]) for name in ("standard", "older-population")}
    assert ages["older-population"] > ages["standard"] + 10


def test_the_new_site_is_none_of_those_of_training() -> None:
    assert NEW_SITE not in SITES
    assert {p.person.site for p in patients("new-site", 50)} == {NEW_SITE}


def test_darker_skin_is_in_the_majority() -> None:
    assert 0.5 < np.mean([p.person.skin_type >= 5 for p in patients("darker-skin")]) < 0.8
    assert np.mean([p.person.skin_type >= 5 for p in patients("standard")]) < 0.35


def test_one_recorded_label_in_seven_is_wrong_and_the_truth_is_not() -> None:
    noisy = patients("label-noise", 400)
    wrong = np.mean([p.recorded_label != p.latents.label for p in noisy])
    assert 0.08 < wrong < 0.22  # 0.15, n = 400
    assert [p.latents.label for p in noisy[:200]] == [p.latents.label for p in patients("standard")]
    assert all(p.recorded_label == p.latents.label for p in patients("standard"))


def test_only_the_shifts_of_missing_modalities_lack_any() -> None:
    for name in SHIFTS:
        lacking = np.mean([len(p.available) < 3 for p in patients(name, 100)])
        assert (lacking > 0.3) == name.startswith("missing"), name


def test_who_is_well_lacks_the_image_more_often_than_who_has_pneumothorax() -> None:
    seen = patients("missing-not-at-random", 800)
    without = {y: np.mean(["image" not in p.available for p in seen if p.latents.label == y]) for y in (2, 7)}
    assert without[2] < 0.25 < 0.35 < without[7]  # stated: 0.05 and 0.50
