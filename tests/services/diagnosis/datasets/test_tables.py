"""Tables are read row by row; each complaint names file and line, and quotes no value."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.tables import Duplicates, Row, read_rows


def row(value: str) -> Row:
    return Row(Place(Path("t.csv"), 7), {"field": value})


def read(file: Path, *columns: str) -> list[tuple[int | None, dict[str, str]]]:
    return [(item.place.row, dict(item.values)) for item in read_rows(file, columns)]


def test_rows_carry_the_line_where_they_begin(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text('id,note\n1,"two\nlines"\n\n2,one\n', encoding="utf-8")
    assert read(file, "id") == [(2, {"id": "1", "note": "two\nlines"}), (5, {"id": "2", "note": "one"})]


def test_a_gzipped_table_with_a_byte_order_mark_is_read_alike(tmp_path: Path) -> None:
    file = tmp_path / "t.csv.gz"
    file.write_bytes(gzip.compress(b"\xef\xbb\xbfid,x\r\n1,2\r\n"))
    assert read(file, "id", "x") == [(2, {"id": "1", "x": "2"})]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"id,other\n1,2\n", 1, "lacks the column note"),
        (b"", 1, "lacks the columns id, note"),
        (b"id,note,id\n1,2,3\n", 1, "same name"),
        (b"id,note\n1,2\n1,2,3\n", 3, "3 fields, the header 2"),
        (b"id,note\n1,\xff\n", 1, "UTF-8"),
        (b'id,note\n1,a\n2,"open\n', 3, "CSV"),
    ],
)
def test_a_broken_table_is_refused_by_line(tmp_path: Path, content: bytes, line: int, words: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=words) as refused:
        read(file, "id", "note")
    assert refused.value.place == Place(file, line)
    assert str(refused.value).startswith(f"{file}:{line}: ")


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.csv: The file is missing"):
        read(tmp_path / "absent.csv", "id")


def test_a_gzip_that_breaks_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.csv.gz"
    file.write_bytes(gzip.compress(b"id,note\n" + b"".join(b"%d,%d\n" % (k, k * k) for k in range(5000)))[:-2000])
    with pytest.raises(DatasetError, match=r"t\.csv\.gz:\d+: The file breaks off here"):
        read(file, "id")


@pytest.mark.parametrize("value", ["12,5", "twelve", "1_000", "nan", "inf", "-3", "177"])
def test_a_wrong_number_is_refused_without_being_quoted(value: str) -> None:
    with pytest.raises(DatasetError, match=r"t\.csv:7: The field field is") as refused:
        row(value).number("field", 0, 100)
    assert value not in str(refused.value)


def test_numbers_and_empty_fields_are_read() -> None:
    assert (row(" 12.5 ").number("field"), row("1e2").number("field"), row("").number("field")) == (12.5, 100.0, None)


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DatasetError, match=r"t\.csv:7: .*unknown value\. Use one of M, F\.") as refused:
        row("Jane Roe").choice("field", {"M": 1, "F": 0})
    assert "Jane" not in str(refused.value)


def test_a_required_field_must_not_be_empty() -> None:
    with pytest.raises(DatasetError, match=r"t\.csv:7: The field field is empty"):
        row("  ").required("field")


def test_a_note_of_nothing_but_space_is_an_error_and_an_empty_field_is_no_note() -> None:
    assert row("").note("field") is None
    with pytest.raises(DatasetError, match=r"t\.csv:7: The note in field holds nothing but space"):
        row(" \n").note("field")


def test_a_note_is_kept_character_by_character() -> None:
    assert row(" Cough.\n").note("field") == " Cough.\n"


def test_the_same_content_under_two_patients_names_both_rows() -> None:
    images = Duplicates("image")
    images.add(b"a", "P1", Place(Path("t.csv"), 2))
    images.add(b"b", "P1", Place(Path("t.csv"), 3))
    with pytest.raises(DatasetError, match=r"t\.csv:4: The same image as in t\.csv:2, under another patient"):
        images.add(b"a", "P2", Place(Path("t.csv"), 4))


def test_the_same_content_twice_under_one_patient_is_refused_too() -> None:
    images = Duplicates("image")
    images.add(b"a", "P1", Place(Path("t.csv"), 2))
    with pytest.raises(DatasetError, match=r"t\.csv:3: The same image as in t\.csv:2\. Remove"):
        images.add(b"a", "P1", Place(Path("t.csv"), 3))
