"""PhysioNet-2012: tiny sets in both layouts, and the real set-a where it is."""

from __future__ import annotations

import shutil
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from services.diagnosis.datasets.base import DatasetError, LabelledCase
from services.diagnosis.datasets.physionet2012 import PhysioNet2012
from services.diagnosis.datasets.physionet_variables import BODY_HEIGHT, VARIABLES
from services.diagnosis.datasets.tables import read_rows
from tests.services.diagnosis.datasets.tiny import stay, write_challenge, write_csv, write_outcomes, write_stays

TABLE = ("RecordID", "Time", "Parameter", "Value")


@pytest.fixture(scope="module")
def real(reference_data: Path) -> Path:
    path = reference_data / "vitals" / "icu-48h"
    if not path.is_dir():
        pytest.skip("the stays of the challenge are not beside this checkout (../shared/data/vitals/icu-48h)")
    return path


def first(path: Path) -> LabelledCase:
    return next(PhysioNet2012(path).cases())


@pytest.mark.parametrize("write", [write_stays, write_challenge])
def test_both_layouts_pass(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    report = PhysioNet2012(write(tmp_path)).check()
    assert report.cases == 20
    assert report.dropped == {"Height: unknown (-1)": 20, "Temp: not of a living adult": 20}


def test_both_layouts_give_the_same_cases(tmp_path: Path) -> None:
    one, other = write_stays(tmp_path / "a"), write_challenge(tmp_path / "b")
    for left, right in zip(PhysioNet2012(one).cases(), PhysioNet2012(other).cases(), strict=True):
        assert_same(left, right)


def assert_same(left: LabelledCase, right: LabelledCase) -> None:
    assert (left.id, left.targets, left.subgroups, left.measurements) == (
        right.id, right.targets, right.subgroups, right.measurements
    )  # fmt: skip
    assert left.series is not None
    assert right.series is not None
    assert left.series.variables == right.series.variables
    np.testing.assert_array_equal(left.series.times_h, right.series.times_h)
    np.testing.assert_array_equal(left.series.values, right.series.values)


def test_a_bundle_gets_the_vital_signs_in_hours_before_the_case_time(tmp_path: Path) -> None:
    vitals = first(write_stays(tmp_path)).inputs.vitals
    assert vitals is not None
    assert vitals.codes == ("8480-6", "8867-4", "8310-5", "8480-6", "8867-4")
    np.testing.assert_allclose(vitals.times_h, [-47.5, -47.5, -42.0, -40.75, -0.5])
    assert vitals.values.tolist() == [120.0, 88.0, 37.5, 110.0, 61.0]


def test_a_model_of_its_own_gets_every_variable_by_name(tmp_path: Path) -> None:
    series = first(write_stays(tmp_path)).series
    assert series is not None
    assert series.variables == ("Weight", "NISysABP", "HR", "Temp", "SysABP", "Lactate", "MechVent", "HR")


def test_facts_become_measurements_and_subgroups(tmp_path: Path) -> None:
    case = first(write_stays(tmp_path))
    assert case.subgroups == {"sex": "F", "icu": "medical", "age": "40-64"}
    assert (case.measurements["30525-0"], case.measurements["29463-7"], case.inputs.age_years) == (41.0, 80.0, 41.0)
    assert "8302-2" not in case.measurements  # the height is unknown


def test_death_is_read_from_the_outcomes(tmp_path: Path) -> None:
    died = {case.id for case in PhysioNet2012(write_stays(tmp_path)).cases() if case.targets["in_hospital_death"]}
    assert died == {"104", "108", "112", "116", "120"}


def test_shards_share_the_stays_out(tmp_path: Path) -> None:
    data = PhysioNet2012(write_stays(tmp_path))
    shards = [[case.id for case in data.cases(shard=(k, 3))] for k in range(3)]
    assert sorted(chain(*shards)) == [case.id for case in data.cases()]
    assert [len(shard) for shard in shards] == [7, 7, 6]


Break = Callable[[Path], None]


def _rewrite(change: Callable[[list[list[str]]], object]) -> Break:
    def damage(path: Path) -> None:
        rows = [[str(record), *entry] for record in range(101, 121) for entry in stay(record)]
        change(rows)
        write_csv(path / "records.csv.gz", TABLE, rows)

    return damage


def _set(row: int, column: int, value: str) -> Break:
    """`row` is a line of the file."""
    return _rewrite(lambda rows: rows[row - 2].__setitem__(column, value))


def _copied_stay(rows: list[list[str]]) -> None:
    for own, other in zip(rows[14:28], rows[:14], strict=True):
        own[1:] = other[1:]


def _scatter(rows: list[list[str]]) -> None:
    rows.append(rows.pop(5))


def _lose_stay(rows: list[list[str]]) -> None:
    del rows[:14]


def _lose_outcome(path: Path) -> None:
    write_outcomes(path / "outcomes.csv", range(102, 121))


def _twice(path: Path) -> None:
    write_outcomes(path / "outcomes.csv", [101, *range(101, 121)])


def _wrong_label(path: Path) -> None:
    file = path / "outcomes.csv"
    file.write_text(file.read_text().replace("102,6,1,5,-1,0", "102,6,1,5,-1,2"))


def _no_label_column(path: Path) -> None:
    write_csv(path / "outcomes.csv", ("RecordID", "SAPS-I"), [("101", "6")])


def _remove(name: str) -> Break:
    return lambda path: (path / name).unlink()


def _cut(path: Path) -> None:
    file = path / "records.csv.gz"
    file.write_bytes(file.read_bytes()[:-30])


def _no_column(path: Path) -> None:
    write_csv(path / "records.csv.gz", TABLE[:3], [("101", "00:00", "HR")])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_no_column, r"records\.csv\.gz:1: The first line is not RecordID,Time,Parameter,Value"),
        (_no_label_column, r"outcomes\.csv:1: The table lacks the column In-hospital_death"),
        (_wrong_label, r"outcomes\.csv:3: The field In-hospital_death holds an unknown value"),
        (_set(8, 3, "fast"), r"records\.csv\.gz:8: The field Value is not a number"),
        (_set(8, 1, "noon"), r"records\.csv\.gz:8: The time is not hh:mm"),
        (_set(8, 2, "Mood"), r"records\.csv\.gz:8: The parameter is none of the challenge's"),
        (_set(15, 1, "49:00"), r"records\.csv\.gz:2: The vital sign is later than the case time"),
        (_rewrite(lambda rows: rows[6].pop()), r"records\.csv\.gz:8: The row does not have"),
        (_rewrite(_copied_stay), r"gz:16: The same readings as in .*gz:2, under another patient"),
        (_rewrite(_scatter), r"records\.csv\.gz:281: The stay's rows are not side by side"),
        (_rewrite(_lose_stay), r"outcomes\.csv:2: The outcome has no stay in records\.csv\.gz"),
        (_lose_outcome, r"records\.csv\.gz:2: The stay has no outcome in outcomes\.csv"),
        (_twice, r"outcomes\.csv:3: The same RecordID as in .*outcomes\.csv:2"),
        (_cut, r"records\.csv\.gz:\d+: The file breaks off here"),
        (_remove("outcomes.csv"), r"outcomes\.csv: The file is missing"),
        (_remove("records.csv.gz"), "There are no stays of the challenge"),
    ],
)  # fmt: skip
def test_a_malformed_set_ends_in_an_error_with_file_and_row(tmp_path: Path, damage: Break, words: str) -> None:
    damage(write_stays(tmp_path))
    with pytest.raises(DatasetError, match=words):
        PhysioNet2012(tmp_path).check()


def test_the_same_stay_in_two_sets_is_refused(tmp_path: Path) -> None:
    write_challenge(tmp_path)
    shutil.copytree(tmp_path / "set-a", tmp_path / "set-b")
    shutil.copy(tmp_path / "Outcomes-a.txt", tmp_path / "Outcomes-b.txt")
    with pytest.raises(DatasetError, match=r"set-b/101\.txt:2: The same RecordID as in .*set-a/101\.txt:2"):
        PhysioNet2012(tmp_path).check()


def test_the_real_set_has_the_counts_of_its_readme(real: Path) -> None:
    report = PhysioNet2012(real).check()
    died = [case.targets["in_hospital_death"] for case in PhysioNet2012(real).cases()]
    assert (report.cases, len(died), sum(died)) == (4000, 4000, 554)
    assert report.leaks == ()
    assert report.dropped["Height: unknown (-1)"] == 1894  # counted with csv alone


def test_the_five_stays_published_one_by_one_hold_nothing_but_what_the_table_has(real: Path, tmp_path: Path) -> None:
    """They lack the last reading of most variables (found with `sort` and `comm`), else both are the same."""
    shutil.copytree(real / "original", tmp_path / "set-a")
    chosen = sorted(file.stem for file in (tmp_path / "set-a").iterdir())
    write_outcomes(tmp_path / "Outcomes-a.txt", [int(record) for record in chosen])
    from_table = {case.id: case for case in PhysioNet2012(real).cases() if case.id in chosen}
    from_files = {case.id: case for case in PhysioNet2012(tmp_path).cases()}
    assert sorted(from_files) == chosen
    for record in chosen:
        table, files = readings(from_table[record]), readings(from_files[record])
        assert files <= table
        missing = Counter(variable for _, variable, _ in (table - files).elements())
        assert set(missing.values()) == {1}
        assert from_files[record].subgroups == from_table[record].subgroups


def readings(case: LabelledCase) -> Counter[tuple[float, str, float]]:
    assert case.series is not None
    return Counter(zip(case.series.times_h.tolist(), case.series.variables, case.series.values.tolist(), strict=True))


def test_codes_and_units_are_those_of_the_real_table(real: Path) -> None:
    published = {
        row.required("Parameter"): row for row in read_rows(real / "parameters.csv", ("Parameter", "loinc_code"))
    }
    assert {"Height": BODY_HEIGHT} | {name: variable.loinc for name, variable in VARIABLES.items()} == {
        name: row.text("loinc_code") for name, row in published.items()
    }
    units = {name: variable.unit for name, variable in VARIABLES.items() if variable.loinc}
    assert units == {name: published[name].text("unit") for name in units}


def test_stays_are_read_as_a_stream(tmp_path: Path) -> None:
    """Ten times the stays take no ten times the memory; the whole table would take over 25 MB as Python objects."""
    records = list(range(1, 4001))
    rows = [(str(record), *entry) for record in records for entry in stay(record) * 5]
    write_csv(tmp_path / "records.csv.gz", TABLE, rows)
    write_outcomes(tmp_path / "outcomes.csv", records)
    del rows
    tracemalloc.start()
    try:
        count = sum(1 for _ in PhysioNet2012(tmp_path).cases())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 4000
    assert peak < 6e6
