"""27: the log's key is changed for another without a gap in which anybody could not check."""

from __future__ import annotations

from typing import Any

import pytest

from services.audit.verify.log import verify_log
from services.audit.verify.notes import open_checkpoint, parse_key, read_log_keys
from services.audit.verify.receipt import verify
from services.audit.verify.sources import open_source
from shared.auth import Role
from tests.services.audit.support import event, open_audit
from tests.support.common import TestBed


class Log:
    """One log, run again and again with other keys."""

    def __init__(self, bed: TestBed) -> None:
        self.bed, self._count = bed, 0

    def run(self, **keys: str) -> tuple[str, list[str], bytes]:
        """Append one event; gives the checkpoint, the public key lines, and the event's receipt."""
        files: dict[str, Any] = {name: self.bed.directory / file for name, file in keys.items()}
        with open_audit(self.bed, **files) as audit:
            index = audit.append(event())[0]["index"]
            lines = audit.get("/audit/key", Role.CLINICIAN).text.splitlines()
            return (
                audit.client.get("/audit/checkpoint").text,
                lines,
                audit.get(f"/audit/entries/{index}/receipt").content,
            )


@pytest.fixture
def log(bed: TestBed) -> Log:
    """A log that has not run yet."""
    return Log(bed)


def test_key_is_changed_in_three_steps(log: Log) -> None:
    before, (old,), first = log.run()
    during, lines, second = log.run(second_signing_key_file="new.key")
    swapped, back, third = log.run(
        signing_key_file="new.key", public_key_file="new.pub", second_signing_key_file="log.key"
    )
    after, (new,), fourth = log.run(signing_key_file="new.key", public_key_file="new.pub")
    assert (lines, back) == ([old, new], [new, old])
    assert [note.count("— ") for note in (before, during, swapped, after)] == [1, 2, 2, 1]
    for key, notes in ((old, (before, during, swapped)), (new, (during, swapped, after))):
        for note in notes:
            assert open_checkpoint(note, [parse_key(key)]).origin == parse_key(key).name
    for receipt in (first, second, third, fourth):
        assert verify(receipt, read_log_keys([old, new])).size >= 1
    with open_source(str(log.bed.directory / "audit.db")) as source:
        assert verify_log(source, read_log_keys([old, new])).faults == []


def test_key_changed_without_the_two_lines_stops_the_log(log: Log) -> None:
    log.run()
    files: dict[str, Any] = {
        "signing_key_file": log.bed.directory / "new.key",
        "public_key_file": log.bed.directory / "new.pub",
    }
    with open_audit(log.bed, **files) as audit:
        refused = audit.post("/internal/audit/events", {"events": [event()]}, Role.SERVICE)
    assert refused.status_code == 503


def test_ml_dsa_signs_as_well_and_the_log_goes_on_with_and_without_it(log: Log) -> None:
    log.run()
    note, lines, receipt = log.run(ml_dsa_key_file="pq.key")
    log.run()
    assert (len(lines), note.count("— ")) == (2, 2)
    for line in lines:
        assert verify(receipt, [parse_key(line)]).index == 1
    assert (log.bed.directory / "pq.key").stat().st_mode & 0o777 == 0o600
