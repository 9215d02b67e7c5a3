"""The index on disk: made in passes, found again, safe to interrupt."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.diagnosis.datasets.index import (
    Advance,
    Index,
    Pass,
    drop,
    dropped,
    fingerprint_of,
    in_batches,
    transaction,
)

SCHEMA = "CREATE TABLE IF NOT EXISTS things (row INTEGER PRIMARY KEY, name TEXT);"


class Reader:
    """A pass that counts how often it is made, and can be interrupted."""

    def __init__(self, name: str, *, interrupted: bool = False) -> None:
        self.name, self.interrupted, self.made = name, interrupted, 0

    def __call__(self, connection: sqlite3.Connection, advance: Advance) -> None:
        self.made += 1
        connection.execute("INSERT INTO things (name) VALUES (?)", (self.name,))
        advance()
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt


def names(index: Index) -> list[str]:
    with index.open() as connection:
        return [row["name"] for row in connection.execute("SELECT name FROM things ORDER BY row")]


def test_after_an_interruption_only_what_was_not_finished_is_made_again(tmp_path: Path) -> None:
    first, second = Reader("first"), Reader("second", interrupted=True)
    passes = [Pass("first", first), Pass("second", second)]
    with pytest.raises(KeyboardInterrupt):
        names(Index(tmp_path, SCHEMA, "f", passes))
    assert names(Index(tmp_path, SCHEMA, "f", passes)) == ["first", "second"]
    assert (first.made, second.made) == (1, 2)


def test_a_finished_index_is_opened_without_reading(tmp_path: Path) -> None:
    reader = Reader("first")
    for _ in range(2):
        names(Index(tmp_path, SCHEMA, "f", [Pass("first", reader)]))
    assert reader.made == 1


def test_another_fingerprint_is_another_index(tmp_path: Path) -> None:
    reader = Reader("first")
    for fingerprint in ("f", "g"):
        assert names(Index(tmp_path, SCHEMA, fingerprint, [Pass("first", reader)])) == ["first"]
    assert reader.made == 2


def test_an_index_without_a_directory_goes_with_its_owner() -> None:
    index = Index(None, SCHEMA, "f", [Pass("first", Reader("first"))])
    names(index)
    path = index.path
    assert path.is_file()
    del index
    assert not path.exists()


def test_a_fingerprint_follows_files_and_options(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("1")
    before = fingerprint_of([file], "options")
    assert fingerprint_of([file], "options") == before
    assert fingerprint_of([file], "others") != before
    file.write_text("12")
    assert fingerprint_of([file], "options") != before


def test_what_is_left_out_is_added_up(tmp_path: Path) -> None:
    with Index(tmp_path, SCHEMA, "f", []).open() as connection:
        drop(connection, "late")
        drop(connection, "late", 2)
        drop(connection, "early")
        assert dropped(connection) == {"early": 1, "late": 3}


def test_batches_give_every_row_in_order_while_the_table_changes(tmp_path: Path) -> None:
    with Index(tmp_path, SCHEMA, "f", []).open() as connection, transaction(connection):
        connection.executemany("INSERT INTO things VALUES (?, 'x')", [(row,) for row in range(1, 26)])
        seen = []
        for row in in_batches(connection, "SELECT * FROM things", size=4):
            seen.append(row["row"])
            connection.execute("UPDATE things SET name = 'y' WHERE row = ?", (row["row"],))
        assert seen == list(range(1, 26))
