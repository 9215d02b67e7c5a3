"""What an administrator of the database can do to the log, and how it comes out.

The numbers are those of the list of faults (docs/reference/audit-faults.md).
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from services.audit.verify.faults import Report
from services.audit.verify.log import verify_log
from services.audit.verify.notes import open_checkpoint
from services.audit.verify.sources import open_source
from tests.services.audit.verify.houses import EVENTS, Left, copy_sqlite
from tests.services.audit.verify.rebuild import rebuild

WHOLE = EVENTS + 7
"""Entries of a used log: events, consent given and withdrawn, model registered, verified and promoted, two
questions."""

EDITS = {
    "11 leaf edited": (["UPDATE leaf SET entry = {forged} WHERE idx = 40"], 40),
    "11 leaf and its hash edited": (
        ["UPDATE leaf SET entry = {forged}, leaf_hash = body_digest WHERE idx = 40"],
        40,
    ),
    "12 row deleted": (["DELETE FROM leaf WHERE idx = 40"], 40),
    "13 two rows swapped": (
        [
            "UPDATE leaf SET idx = -1 WHERE idx = 40",
            "UPDATE leaf SET idx = 40 WHERE idx = 41",
            "UPDATE leaf SET idx = 41 WHERE idx = -1",
        ],
        40,
    ),
    "14 row inserted in the past": (
        [
            "UPDATE leaf SET idx = -idx WHERE idx >= 40",
            "UPDATE leaf SET idx = 1 - idx WHERE idx < 0",
            "INSERT INTO leaf SELECT 40, 'forged', body_digest, entry, leaf_hash, received_at, occurred_at, producer,"
            " type, subtype, outcome, actor, subject_ref, object_id{more} FROM leaf WHERE idx = 39",
        ],
        40,
    ),
    "15 tail truncated": (["DELETE FROM leaf WHERE idx >= 300"], 300),
    "15 tail and coordinate truncated": (
        ["DELETE FROM leaf WHERE idx >= 300", "UPDATE coordinate SET size = 300"],
        300,
    ),
    "17 tile edited": (["UPDATE tile SET hashes = (SELECT leaf_hash FROM leaf WHERE idx = 9) WHERE level = 0"], 0),
    "17 tile of a higher level edited": (
        ["UPDATE tile SET hashes = (SELECT leaf_hash FROM leaf WHERE idx = 9) WHERE level = 1"],
        0,
    ),
    "17 tile deleted": (["DELETE FROM tile WHERE level = 0 AND n = 1"], 256),
    "18 consent turned into its opposite": (["UPDATE consent SET decision = 'permit' WHERE version = 1"], EVENTS),
    "18 consent taken out": (["DELETE FROM consent WHERE version = 2"], EVENTS + 1),
    "18 withdrawal narrowed": (["UPDATE consent SET modalities = '[\"note\"]' WHERE version = 2"], EVENTS + 1),
    "18 consent begins later": (["UPDATE consent SET \"start\" = '2030-01-01 00:00:00' WHERE version = 1"], EVENTS),
    "18 consent for another purpose": (
        ['UPDATE consent SET purposes = \'["TREAT","HOPERAT"]\' WHERE version = 1'],
        EVENTS,
    ),
    "18 consent without its purposes": (["UPDATE consent SET purposes = NULL WHERE version = 2"], EVENTS + 1),
    "18 consent for everybody": (["UPDATE consent SET recipients = '[]' WHERE version = 1"], EVENTS),
    "18 exception taken out": (["UPDATE consent SET exceptions = NULL WHERE version = 1"], EVENTS),
    "18 recipients that are none": (["UPDATE consent SET recipients = '7' WHERE version = 1"], EVENTS),
    "18 bundle digest edited": (["UPDATE bundle SET digest = 'sha256:0'"], EVENTS + 2),
    "18 model card edited": (["UPDATE bundle SET card = '{\"auroc\": 0.99}'"], EVENTS + 2),
    "18 promotion edited": (["UPDATE bundle_event SET change = 'retired' WHERE idx = {promotion}"], EVENTS + 4),
    "18 promotion taken out": (["DELETE FROM bundle_event WHERE idx = {promotion}"], EVENTS + 4),
    "18 signature of a bundle edited": (["UPDATE bundle_evidence SET content = '{}'"], EVENTS + 3),
    "18 signature of a bundle taken out": (["DELETE FROM bundle_evidence"], EVENTS + 3),
    "18 signer of a bundle edited": (["UPDATE bundle_evidence SET actor = 'somebody-else'"], EVENTS + 3),
    "18 promotion invented": (["UPDATE bundle_event SET idx = 7 WHERE idx = {promotion}"], 7),
    "19 actor edited": (["UPDATE leaf SET actor = 'someone-else' WHERE idx = 40"], 40),
    "19 patient edited": (["UPDATE leaf SET subject_ref = 'pat-0' WHERE idx = 40"], 40),
    "19 object taken out": (["UPDATE leaf SET object_id = NULL WHERE idx = 40"], 40),
    "19 event id edited": (["UPDATE leaf SET event_id = 'forged' WHERE idx = 40"], 40),
    "19 purpose edited": (["UPDATE leaf SET purpose = 'HRESCH' WHERE idx = 40"], 40),
    "19 model taken out": (["UPDATE leaf SET model = NULL WHERE idx = 40"], 40),
    "19 span of a tile narrowed": (['UPDATE leaf_span SET "last" = "first" WHERE tile = 1'], 256),
    "19 span of a tile taken out": (["DELETE FROM leaf_span WHERE tile = 1"], 256),
    "19 span of a tile invented": (
        ['INSERT INTO leaf_span SELECT 7, "first", "last" FROM leaf_span WHERE tile = 1'],
        1792,
    ),
    "20 time of the act edited": (["UPDATE leaf SET occurred_at = '2020-01-01 00:00:00' WHERE idx = 40"], 40),
    "20 time of receipt edited": (["UPDATE leaf SET received_at = '2020-01-01 00:00:00' WHERE idx = 40"], 40),
    "21 table emptied": (["DELETE FROM leaf"], 0),
}

NO_PRODUCER = '{"event": {"actor": {"subject": 1}, "producerSeq": 5}}'


def _check(log: Left, *notes: str) -> Report:
    held = [open_checkpoint(note, log.keys) for note in notes]
    with open_source(log.place) as source:
        return verify_log(source, log.keys, held)


def _spelt(statement: str, log: Left) -> str:
    """The statement in this database's own words."""
    is_sqlite = log.url.startswith("sqlite")
    text = "CAST(entry AS TEXT)" if is_sqlite else "convert_from(entry, 'UTF8')"
    other = f"replace({text}, 'demo-clinician', 'somebody-else')"
    forged = f"CAST({other} AS BLOB)" if is_sqlite else f"convert_to({other}, 'UTF8')"
    statement = statement.replace("{forged}", forged).replace("{promotion}", str(EVENTS + 4))
    return statement.replace("{more}", _more_columns(log))


def _more_columns(log: Left) -> str:
    known = 14
    engine = sa.create_engine(log.url)
    names = [column["name"] for column in sa.inspect(engine).get_columns("leaf")]
    engine.dispose()
    return "".join(f", {name}" for name in names[known:])


def test_untouched_log_is_good(log: Left) -> None:
    report = _check(log, log.note)
    assert report.faults == []
    assert (report.facts["entries"], report.facts["signed"]) == (WHOLE, WHOLE)


@pytest.mark.parametrize("edit", EDITS)
def test_edit_is_found_with_the_first_bad_index(log: Left, edit: str) -> None:
    statements, index = EDITS[edit]
    log.edit(*(_spelt(statement, log) for statement in statements))
    assert _check(log).first_bad == index


@pytest.mark.parametrize("table", ["leaf", "checkpoint", "bundle_event"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_21_database_refuses_changes_until_the_guards_are_lifted(log: Left, table: str, change: str) -> None:
    column = {"leaf": "idx", "checkpoint": "size", "bundle_event": "idx"}[table]
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        log.edit(change.format(table, column, column), guarded=True)
    assert _check(log).good


def test_21_truncated_table_is_found(log: Left) -> None:
    if log.url.startswith("sqlite"):
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        log.edit("TRUNCATE leaf", guarded=True)
    log.edit("TRUNCATE leaf")
    assert _check(log).first_bad == 0


def test_19_bytes_in_place_of_text_are_found(log: Left) -> None:
    if not log.url.startswith("sqlite"):
        pytest.skip("PostgreSQL keeps text as text")
    log.edit("UPDATE leaf SET actor = CAST(x'ff00' AS TEXT) WHERE idx = 280")
    assert _check(log).first_bad == 280


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("UPDATE leaf SET entry = 'words' WHERE idx = 40", 40),
        (f"UPDATE leaf SET entry = CAST('{NO_PRODUCER}' AS BLOB) WHERE idx = 40", 40),
        ("UPDATE leaf SET leaf_hash = 'words' WHERE idx = 40", 40),
        ("UPDATE tile SET hashes = 'words' WHERE level = 0 AND n = 0", 0),
        ("UPDATE checkpoint SET note = x'00' WHERE size = 10", None),
        ("UPDATE checkpoint SET root = 7 WHERE size = 10", None),
        ("UPDATE coordinate SET size = 7", 307),
        ("UPDATE consent SET modalities = 'words' WHERE version = 1", EVENTS),
        ("UPDATE bundle SET card = 'words'", EVENTS + 2),
    ],
)
def test_values_of_another_type_are_found_too(
    sqlite_log: Left, tmp_path: Path, statement: str, index: int | None
) -> None:
    copied = copy_sqlite(sqlite_log, tmp_path)
    copied.edit(statement)
    report = _check(copied)
    assert (report.good, report.first_bad) == (False, index)


def test_checkpoint_whose_columns_were_edited_is_found(log: Left) -> None:
    log.edit("UPDATE checkpoint SET root = (SELECT leaf_hash FROM leaf WHERE idx = 3) WHERE size = 10")
    assert "not what its note says" in str(_check(log).faults[0])


def test_15_tail_truncated_with_all_its_traces_shows_against_a_kept_checkpoint(log: Left) -> None:
    rebuild(log, keep=10)
    assert _check(log).good, "nothing in the database tells"
    report = _check(log, log.note)
    assert (report.first_bad, "rollback" in str(report.faults[0])) == (10, True)


def test_16_log_rebuilt_with_another_entry_shows_against_a_kept_checkpoint(log: Left) -> None:
    rebuild(log, forge=40)
    assert _check(log).good, "nothing in the database tells"
    assert "fork" in str(_check(log, log.note).faults[0])
