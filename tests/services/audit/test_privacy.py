"""A patient's identifier, planted everywhere it can enter, comes out only where it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.auth import Role
from shared.tlog.tiles import decode_bundle
from tests.services.audit.support import Audit

CANARY = "CANARY-4711"


@pytest.fixture
def used(audit: Audit) -> Audit:
    """A log after everything that can be done with a patient's identifier, rightly and wrongly."""
    consent = {"patient": CANARY, "decision": "permit", "purpose": "TREAT", "modalities": ["image"]}
    given = audit.post("/consents", consent).json()
    audit.post(f"/consents/{given['id']}/withdraw")
    audit.get("/consents", patient=CANARY)
    question = {"patient": CANARY, "purpose": "TREAT", "modalities": ["image"]}
    audit.post("/internal/audit/consent/decide", question, Role.SERVICE)
    audit.post("/consents", {**consent, "decision": CANARY})
    audit.post(f"/consents/{CANARY}/withdraw")
    return audit


def test_no_leaf_holds_it(used: Audit) -> None:
    size = used.client.get("/audit/checkpoint").text.split("\n")[1]
    leaves = decode_bundle(used.client.get(f"/audit/tile/entries/000.p/{size}").content)
    assert leaves
    assert all(CANARY.encode() not in leaf for leaf in leaves)


def test_of_all_tables_only_the_consents_hold_it(used: Audit) -> None:
    engine = sa.create_engine(used.bed.sqlite("audit"))
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        holding = {
            table
            for table in tables
            for row in connection.execute(sa.text(f'SELECT * FROM "{table}"'))
            if CANARY in " ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row)
        }
    engine.dispose()
    assert holding == {"consent"}


def test_no_metric_holds_it(used: Audit) -> None:
    assert CANARY not in used.get("/metrics", Role.ADMIN).text


def test_no_log_line_holds_it(used: Audit, capfd: pytest.CaptureFixture[str]) -> None:
    used.post("/consents", {"patient": CANARY, "decision": CANARY})
    captured = capfd.readouterr()
    assert CANARY not in captured.out + captured.err


@pytest.mark.parametrize("field", ["decision", "purpose", "surprise"])
def test_no_refusal_repeats_it(audit: Audit, field: str) -> None:
    consent = {"patient": "p", "decision": "permit", "purpose": "TREAT", "modalities": ["image"], field: CANARY}
    answer = audit.post("/consents", consent)
    assert answer.status_code == 422
    assert CANARY not in answer.text


def test_key_file_of_the_pseudonyms_is_not_in_the_store(used: Audit) -> None:
    secret = (used.bed.directory / "pseudonym.key").read_text()
    assert all(secret.encode() not in Path(file).read_bytes() for file in used.bed.directory.glob("audit.db*"))
