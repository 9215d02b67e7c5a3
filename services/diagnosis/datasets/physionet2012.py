"""PhysioNet/CinC Challenge 2012: the first 48 hours of intensive care stays, and who died in hospital."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from services.diagnosis.case import CaseInput, VitalsInput
from services.diagnosis.datasets.base import (
    DAY_ZERO,
    DatasetError,
    LabelledCase,
    LeakageReport,
    Place,
    Provenance,
    Series,
    Split,
    Task,
    age_band,
    share_of,
    split_of,
)
from services.diagnosis.datasets.leakage import examine
from services.diagnosis.datasets.physionet_layouts import Entry, Source, Stay, find_sources
from services.diagnosis.datasets.physionet_variables import AGE, BODY_HEIGHT, ICU_TYPES, STATIC, VARIABLES
from services.diagnosis.datasets.tables import Duplicates

NAME = "physionet-2012"
LICENCE = "ODC-By 1.0"
CITATION = "Silva I et al., Comput Cardiol 39:245 (2012); Goldberger A et al., Circulation 101:e215 (2000)"
TASKS = (Task("in_hospital_death", ("survived", "died"), "deterioration24h"),)
HORIZON_H = 48.0
"""The case time, after admission."""
AS_OF = DAY_ZERO + timedelta(hours=HORIZON_H)
UNKNOWN = -1.0
TELLTALE = 10
"""Readings from which two stays with the same ones are the same stay."""
WEIGHT = "Weight"


@dataclass(frozen=True)
class PhysioNet2012:
    """The stays below `path`, in either layout of `physionet_layouts`.

    A bundle gets the readings of the vital signs it knows, a model trained here all 37 variables as `series`.
    """

    path: Path
    name: str = field(default=NAME, init=False)
    licence: str = field(default=LICENCE, init=False)
    tasks: tuple[Task, ...] = field(default=TASKS, init=False)

    def check(self, *, strict: bool = False) -> LeakageReport:
        """As `Dataset.check`; says how many readings were left out of each variable, and why."""
        dropped: Counter[str] = Counter()
        return examine(self.name, self._checked(dropped), self.tasks, strict=strict, dropped=dropped)

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """As `Dataset.cases`."""
        sources = find_sources(self.path)
        outcomes = [source.read_outcomes() for source in sources]
        everyone = ((number, record) for number, own in enumerate(outcomes) for record in own)
        chosen = (item for item in everyone if split in (None, split_of(self.name, item[1])))
        wanted = frozenset(share_of(chosen, shard))
        for number, (source, own) in enumerate(zip(sources, outcomes, strict=True)):
            for stay in source.read_stays({record for n, record in wanted if n == number}):
                yield _case(stay, own[stay.record_id][0], Counter())

    def __len__(self) -> int:
        return sum(len(source.read_outcomes()) for source in find_sources(self.path))

    def _checked(self, dropped: Counter[str]) -> Iterator[LabelledCase]:
        """Every case, with what concerns several stays checked on the way."""
        records, contents = Duplicates("RecordID"), Duplicates("readings")
        for source in find_sources(self.path):
            outcomes = source.read_outcomes()
            for stay in source.read_stays():
                _check_outcome(stay, outcomes, source)
                records.add(stay.record_id.encode(), stay.record_id, stay.place)
                if len(stay.entries) >= TELLTALE:
                    contents.add(_content(stay), stay.record_id, stay.place)
                yield _case(stay, outcomes.pop(stay.record_id)[0], dropped)
            for _, place in outcomes.values():
                problem, fix = f"The outcome has no stay in {source.stays.name}.", "Add the stay or remove the row."
                raise DatasetError(place, problem, fix)


def _check_outcome(stay: Stay, outcomes: dict[str, tuple[bool, Place]], source: Source) -> None:
    if stay.record_id not in outcomes:
        problem = f"The stay has no outcome in {source.outcomes.name}, or was there before."
        raise DatasetError(stay.place, problem, "Add its outcome, or remove the stay.")


def _content(stay: Stay) -> bytes:
    return repr([(hour, name, value) for hour, name, value, _ in stay.entries if name != "RecordID"]).encode()


def _case(stay: Stay, died: bool, dropped: Counter[str]) -> LabelledCase:
    facts, readings = _sift(stay, dropped)
    age, gender, icu = facts.get("Age"), facts.get("Gender"), facts.get("ICUType")
    sex = {0: "F", 1: "M"}.get(int(gender)) if gender is not None else None
    vitals, series = _vitals(stay.record_id, readings), _series(readings)
    if vitals is None:
        dropped["stay: kept, but without any vital sign"] += 1
    subgroups = {"sex": sex, "icu": None if icu is None else ICU_TYPES.get(int(icu))}
    return LabelledCase(
        id=stay.record_id,
        patient=stay.record_id,
        inputs=CaseInput(AS_OF, vitals=vitals, age_years=age, sex=sex),
        targets={TASKS[0].name: int(died)},
        provenance=Provenance(
            NAME, f"{stay.place.file.name}:{stay.place.row}", LICENCE, True, CITATION, "hospital record"
        ),
        subgroups={**{name: value for name, value in subgroups.items() if value}, **age_band(age)},
        measurements=_measurements(facts, readings),
        series=series,
    )


def _sift(stay: Stay, dropped: Counter[str]) -> tuple[dict[str, float], list[Entry]]:
    """The facts of a stay and its readings, oldest first, without what is unknown or nobody's. Raises: DatasetError."""
    facts: dict[str, float] = {}
    readings = []
    for entry in stay.entries:
        variable = VARIABLES.get(entry.parameter)
        if variable is None and entry.parameter not in STATIC:
            place = Place(stay.place.file, entry.row)
            raise DatasetError(
                place, "The parameter is none of the challenge's.", "Correct its name or remove the row."
            )
        low, high = (variable.low, variable.high) if variable else STATIC[entry.parameter]
        if entry.value == UNKNOWN:
            dropped[f"{entry.parameter}: unknown (-1)"] += 1
        elif not low <= entry.value <= high:
            dropped[f"{entry.parameter}: not of a living adult"] += 1
        elif variable:
            readings.append(entry)
        else:
            facts[entry.parameter] = entry.value
    readings.sort(key=_order)
    return facts, readings


def _order(entry: Entry) -> tuple[float, bool, str, float]:
    """By time; of what was measured at the same moment, the cuff's value before the arterial line's."""
    return entry.hour, not entry.parameter.startswith("NI"), entry.parameter, entry.value


def _vitals(record_id: str, readings: list[Entry]) -> VitalsInput | None:
    signs = [(entry, code) for entry in readings if (code := _sign(entry.parameter))]
    if not signs:
        return None
    times_h = np.array([entry.hour for entry, _ in signs]) - HORIZON_H
    values = np.array([entry.value for entry, _ in signs])
    return VitalsInput(f"{record_id}-vitals", times_h, tuple(code for _, code in signs), values)


def _sign(parameter: str) -> str | None:
    variable = VARIABLES[parameter]
    return variable.loinc if variable.vital_sign else None


def _series(readings: list[Entry]) -> Series:
    times_h = np.array([entry.hour for entry in readings], np.float64) - HORIZON_H
    values = np.array([entry.value for entry in readings], np.float64)
    return Series(times_h, tuple(entry.parameter for entry in readings), values)


def _measurements(facts: dict[str, float], readings: list[Entry]) -> dict[str, float]:
    """LOINC -> newest value; an arterial line counts more than a cuff at the same moment."""
    newest = {code: entry.value for entry in readings if (code := VARIABLES[entry.parameter].loinc)}
    static = {code: facts[name] for name, code in (("Age", AGE), ("Height", BODY_HEIGHT)) if name in facts}
    return {**newest, **static}
