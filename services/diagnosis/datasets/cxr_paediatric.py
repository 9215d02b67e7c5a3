"""Chest radiographs of children aged 1 to 5, one per child: normal, bacterial or viral pneumonia. Images alone.

All come from one hospital, so no collection predicts the label; but the patients are children, and nothing is known of
each but the image. Kermany et al., doi:10.17632/rscbjbr9sj.2, Cell 172:1122 (2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.diagnosis.case import CaseInput, ImageInput
from services.diagnosis.datasets.base import (
    DAY_ZERO,
    LabelledCase,
    LeakageReport,
    Provenance,
    Split,
    Task,
    share_of,
    split_of,
)
from services.diagnosis.datasets.cxr_cohort import ANY_PNEUMONIA
from services.diagnosis.datasets.leakage import examine
from services.diagnosis.datasets.pictures import derived_uid, read_radiograph
from services.diagnosis.datasets.tables import Duplicates, Row, read_rows
from shared.codes import DIAGNOSES

NAME, LICENCE = "cxr-paediatric", "CC BY 4.0"
COLUMNS = ("image_id", "image_file", "patient_id", "label")
KINDS = ("normal", "bacterial", "viral")
TASKS = (
    Task("pneumonia", ("none", "pneumonia"), "diagnosis", codes=((), ANY_PNEUMONIA)).asked_of(DIAGNOSES),
    Task("kind", KINDS, None),
)
_KINDS: Mapping[str, int] = {name: k for k, name in enumerate(KINDS)}


@dataclass(frozen=True)
class CxrPaediatric:
    """The radiographs below `path`, as its README describes them."""

    path: Path
    name: str = field(default=NAME, init=False)
    licence: str = field(default=LICENCE, init=False)
    tasks: tuple[Task, ...] = field(default=TASKS, init=False)

    def check(self, *, strict: bool = False) -> LeakageReport:
        """As `Dataset.check`; every image is decoded."""
        images = Duplicates("image")
        for row in self._rows():
            file = self.path / row.required("image_file")
            if file.is_file():  # where it is not, reading the case says so
                images.add(file.read_bytes(), row.required("patient_id"), row.place)
        return examine(self.name, self.cases(), self.tasks, strict=strict)

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """As `Dataset.cases`."""
        rows = (row for row in self._rows() if split in (None, split_of(self.name, row.required("patient_id"))))
        for row in share_of(rows, shard):
            yield self._case(row)

    def __len__(self) -> int:
        return sum(1 for _ in self._rows())

    def _rows(self) -> Iterator[Row]:
        return read_rows(self.path / "labels.csv", COLUMNS)

    def _case(self, row: Row) -> LabelledCase:
        image_id, kind = row.required("image_id"), row.choice("label", _KINDS)
        pixels, size = read_radiograph(self.path / row.required("image_file"))
        image = ImageInput(image_id, derived_uid(image_id), pixels, *size, DAY_ZERO, "DX", "CHEST")
        return LabelledCase(
            id=image_id,
            patient=row.required("patient_id"),
            inputs=CaseInput(DAY_ZERO, (image,)),
            targets={} if kind is None else {"pneumonia": int(kind > 0), "kind": kind},
            provenance=Provenance(
                dataset=self.name,
                source=f"{row.place.file.name}:{row.place.row}",
                licence=self.licence,
                research_consent=True,  # the licence permits research
                citation="Kermany et al., doi:10.17632/rscbjbr9sj.2",
                label_basis="published with the image",
            ),
            subgroups={"age": "0-17"},
        )
