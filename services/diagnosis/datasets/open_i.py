"""Open-i chest X-ray reports with gold findings: does a reader of notes understand what a report says?

The findings were taken from the reports, so the text holds the answer: a task of reading, not of predicting. With
`sections="indication"` only what was known before the radiologist looked is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from services.diagnosis.case import CaseInput, NoteInput
from services.diagnosis.datasets.base import (
    DAY_ZERO,
    DatasetError,
    LabelledCase,
    LeakageReport,
    Place,
    Provenance,
    Split,
    Task,
    share_of,
    split_of,
)
from services.diagnosis.datasets.leakage import examine
from services.diagnosis.datasets.tables import Duplicates, Row, read_rows
from shared.codes import CARDIOGENIC_OEDEMA, DIAGNOSES, NO_ACUTE_DISEASE, PLEURAL_EFFUSION, PNEUMONIA, PNEUMOTHORAX

NAME = "open-i"
LICENCE = "CC BY-NC-ND 4.0"
CITATION = "Demner-Fushman D et al., J Am Med Inform Assoc 23:304 (2016); labels: NegBio, US government work"
SECTIONS = ("comparison", "indication", "findings", "impression")
KNOWN_TO_BUNDLES = {
    "Effusion": PLEURAL_EFFUSION,
    "Pneumonia": PNEUMONIA,
    "Edema": CARDIOGENIC_OEDEMA,
    "Pneumothorax": PNEUMOTHORAX,
}
OTHER_FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Infiltration", "Mass", "Nodule", "Consolidation", "Emphysema", "Fibrosis",
    "Pleural_Thickening", "Hernia",
)  # fmt: skip
COLUMNS = ("filename", "normal", *KNOWN_TO_BUNDLES, *OTHER_FINDINGS)
REPORT = "18748-4"


def _against_the_rest(label: int) -> tuple[tuple[int, ...], ...]:
    return tuple(k for k in range(len(DIAGNOSES)) if k != label), (label,)


TASKS = (
    Task("normal", ("abnormal", "normal"), "diagnosis", _against_the_rest(DIAGNOSES.index(NO_ACUTE_DISEASE))),
    *(
        Task(name.lower(), ("absent", name.lower()), "diagnosis", _against_the_rest(DIAGNOSES.index(code)))
        for name, code in KNOWN_TO_BUNDLES.items()
    ),
    *(Task(name.lower(), ("absent", name.lower()), None) for name in OTHER_FINDINGS),
)


@dataclass(frozen=True)
class OpenI:
    """Reports `CXR*.xml` and `labels.csv` below `path`; one study per patient, as the collection was drawn.

    Args:
        sections: those of `SECTIONS` that make the note, joined by `+`.
    """

    path: Path
    sections: str = "indication+findings+impression"
    name: str = field(default=NAME, init=False)
    licence: str = field(default=LICENCE, init=False)
    tasks: tuple[Task, ...] = field(default=TASKS, init=False)

    def __post_init__(self) -> None:
        if unknown := set(self.sections.split("+")) - set(SECTIONS):
            problem = f"A report has no section {', '.join(sorted(unknown))!r}."
            raise DatasetError(Place(self.path), problem, f"Use {'+'.join(SECTIONS)} or a part of it.")

    def check(self, *, strict: bool = False) -> LeakageReport:
        """As `Dataset.check`."""
        names, dropped = Duplicates("filename"), Counter[str]()
        for row in self._rows():
            names.add(row.required("filename").encode(), row.required("filename"), row.place)
        cases = (case for row in self._rows() if (case := self._case(row, dropped)))
        return examine(self.name, cases, self.tasks, strict=strict, dropped=dropped)

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """As `Dataset.cases`; a report without any text is no case."""
        rows = (row for row in self._rows() if split in (None, split_of(self.name, row.required("filename"))))
        for row in share_of(rows, shard):
            if case := self._case(row, Counter()):
                yield case

    def __len__(self) -> int:
        return sum(1 for _ in self.cases())

    def _rows(self) -> Iterator[Row]:
        return read_rows(self.path / "labels.csv", COLUMNS)

    def _case(self, row: Row, dropped: Counter[str]) -> LabelledCase | None:
        report = row.required("filename")
        text = _text(self.path / f"{report}.xml", row.place, self.sections.split("+"))
        if text is None:
            dropped["report: no text in these sections"] += 1
            return None
        labels = {column.lower(): row.choice(column, {"0": 0, "1": 1}) for column in COLUMNS[1:]}
        return LabelledCase(
            id=report,
            patient=report,
            inputs=CaseInput(DAY_ZERO, notes=(NoteInput(f"{report}-note", text, DAY_ZERO, REPORT),)),
            targets={task: label for task, label in labels.items() if label is not None},
            provenance=Provenance(
                NAME, f"{row.place.file.name}:{row.place.row}", LICENCE, True, CITATION, "read from the report"
            ),
        )


def _text(file: Path, place: Place, sections: list[str]) -> str | None:
    """The sections under their headings; None where all are empty. Raises: DatasetError."""
    try:
        root = ElementTree.parse(file).getroot()  # noqa: S314  # a file that the user downloaded; no entity is fetched
    except FileNotFoundError:
        raise DatasetError(place, "The report of this row is missing.", f"Add {file.name} or remove the row.") from None
    except (OSError, ElementTree.ParseError):
        raise DatasetError(Place(file), "The report is no well-formed XML.", "Download it again.") from None
    found = {(part.get("Label") or "").lower(): part.text or "" for part in root.iter("AbstractText")}
    if not found:
        raise DatasetError(Place(file), "The report has no AbstractText.", "Use the file as it is published.")
    if blank := [name for name in sections if found.get(name) and not found[name].strip()]:
        problem = f"The section {blank[0]} holds nothing but space."
        raise DatasetError(Place(file), problem, "Restore its text, or empty the element.")
    return "\n".join(f"{name.upper()}: {found[name].strip()}" for name in sections if found.get(name)) or None
