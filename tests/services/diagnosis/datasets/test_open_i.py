"""Open-i reports: tiny ones written here, and the real ones where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.diagnosis.datasets.base import DatasetError
from services.diagnosis.datasets.open_i import OpenI
from shared.codes import DIAGNOSES
from tests.services.diagnosis.datasets.tiny import report_xml, write_reports


@pytest.fixture(scope="module")
def real(reference_data: Path) -> Path:
    path = reference_data / "notes" / "open-i"
    if not path.is_dir():
        pytest.skip("the Open-i reports are not beside this checkout (../shared/data/notes/open-i)")
    return path


def test_a_report_becomes_a_note_under_its_headings(tmp_path: Path) -> None:
    case = next(OpenI(write_reports(tmp_path)).cases())
    assert case.inputs.notes[0].text == "INDICATION: Cough.\nFINDINGS: No effusion."
    assert (case.targets["effusion"], len(case.targets)) == (0, 15)


def test_only_what_was_known_before_may_be_asked_for(tmp_path: Path) -> None:
    reports = OpenI(write_reports(tmp_path), sections="indication")
    assert {case.inputs.notes[0].text for case in reports.cases()} == {"INDICATION: Cough."}
    assert reports.check().leaks == ()


def test_findings_in_the_text_are_reported_as_a_leak(tmp_path: Path) -> None:
    (leak,) = OpenI(write_reports(tmp_path)).check().leaks
    assert (leak.kind, leak.task, leak.count) == ("label-in-note", "effusion", 6)


def test_a_report_without_text_is_no_case_and_is_counted(tmp_path: Path) -> None:
    write_reports(tmp_path)
    (tmp_path / "CXR3.xml").write_text(report_xml(indication="", findings=""))
    report = OpenI(tmp_path).check()
    assert (report.cases, len(OpenI(tmp_path))) == (11, 11)
    assert report.dropped == {"report: no text in these sections": 1}


def test_every_task_for_a_bundle_sums_all_of_its_labels_once() -> None:
    for task in OpenI(Path()).tasks:
        if task.answered_by:
            assert sorted(k for group in task.groups for k in group) == list(range(len(DIAGNOSES)))


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no section 'conclusion'"):
        OpenI(tmp_path, sections="conclusion")


def _labels(old: str, new: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        file = path / "labels.csv"
        file.write_text(file.read_text().replace(old, new))

    return damage


def _report(content: str) -> Callable[[Path], object]:
    return lambda path: (path / "CXR3.xml").write_text(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_labels("Edema", "Oedema"), r"labels\.csv:1: The table lacks the column Edema"),
        (_labels("CXR3,0", "CXR3,7"), r"labels\.csv:5: The field Atelectasis holds an unknown value"),
        (_labels("CXR3,", "CXR2,"), r"labels\.csv:5: The same filename as in .*labels\.csv:4"),
        (_labels("CXR3,", ","), r"labels\.csv:5: The field filename is empty"),
        (
            lambda path: (path / "CXR3.xml").unlink(),
            r"labels\.csv:5: The report of this row is missing\. Add CXR3\.xml",
        ),
        (_report("<eCitation><Abs"), r"CXR3\.xml: The report is no well-formed XML"),
        (_report("<eCitation/>"), r"CXR3\.xml: The report has no AbstractText"),
        (_report(report_xml(findings="  ")), r"CXR3\.xml: The section findings holds nothing but space"),
    ],
)
def test_malformed_reports_end_in_an_error(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(write_reports(tmp_path))
    with pytest.raises(DatasetError, match=words):
        OpenI(tmp_path).check()


def test_the_real_reports_have_the_labels_of_their_table(real: Path) -> None:
    cases = list(OpenI(real).cases())
    assert len(cases) == 59  # CXR1142 was published without text
    assert sum(case.targets["atelectasis"] for case in cases) == 13
    assert sum(case.targets["cardiomegaly"] for case in cases) == 17


def test_what_stands_before_the_findings_hardly_names_them(real: Path) -> None:
    counts = {leak.task: leak.count for leak in OpenI(real, sections="indication").check().leaks}
    assert counts == {"pneumonia": 1}
