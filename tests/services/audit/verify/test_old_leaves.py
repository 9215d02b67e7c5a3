"""35: what was logged by older code verifies under the code of today, for ever."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.verify.entries import event_of, summarise
from services.audit.verify.export import verify_export
from services.audit.verify.faults import Bad
from services.audit.verify.notes import parse_key
from services.audit.verify.receipt import verify
from shared.tlog.checkpoint import Checkpoint, sign_checkpoint
from shared.tlog.note import NoteSigner
from shared.tlog.proof import TlogProof, format_proof
from shared.tlog.tree import leaf_hash
from tests.shared.tlog.signers import signer_of
from tests.support.common import PROJECT_ROOT

GOLDEN = PROJECT_ROOT / "tests" / "golden"
SIGNER: NoteSigner = signer_of(7)


@pytest.fixture
def lines() -> list[bytes]:
    """An export of the first day."""
    return (GOLDEN / "audit-export-v1.ndjson").read_bytes().splitlines(keepends=True)


def test_export_of_the_first_day_is_good(lines: list[bytes]) -> None:
    report = verify_export(lines, [parse_key((GOLDEN / "audit-export-v1.vkey").read_text())])
    assert (report.faults, report.facts["entries"], report.facts["complete"]) == ([], 6, True)


def test_fields_that_a_leaf_may_get_one_day_change_nothing(lines: list[bytes]) -> None:
    leaf = json.loads(lines[1])["leaf"]
    leaf["event"] |= {"schemaVersion": 9, "invented": {"later": [1, 2]}}
    entry = json.dumps(leaf).encode()
    note = sign_checkpoint(Checkpoint(SIGNER.verifier_key.name, 1, leaf_hash(entry)), SIGNER)
    receipt = format_proof(TlogProof(0, (), note, entry))
    assert verify(receipt.encode(), [parse_key(str(SIGNER.verifier_key))]).entry == entry
    event = event_of(entry)
    assert event is not None
    assert event["invented"] == {"later": [1, 2]}
    assert summarise(entry)["by"] == "clinician demo-clinician"


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_changed_byte_of_an_export_makes_it_bad(data: st.DataObject) -> None:
    content = bytearray((GOLDEN / "audit-export-v1.ndjson").read_bytes())
    keys = [parse_key((GOLDEN / "audit-export-v1.vkey").read_text())]
    at = data.draw(st.integers(0, len(content) - 2))
    content[at] = data.draw(st.integers(0, 255).filter(lambda value: value != content[at]))
    with suppress(Bad):
        assert not verify_export(bytes(content).splitlines(keepends=True), keys).good
