"""Receipts: from a file alone, and against every forgery we can think of."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.audit.cli import app as cli
from services.audit.verify.entries import summarise
from services.audit.verify.faults import Bad
from services.audit.verify.notes import parse_key
from services.audit.verify.receipt import verify
from services.audit.verify.tree import root_from_path
from shared.auth import Role
from shared.tlog import tiles
from shared.tlog.checkpoint import Checkpoint, sign_checkpoint
from shared.tlog.note import NoteSigner
from shared.tlog.proof import TlogProof, format_proof
from shared.tlog.tree import leaf_hash
from tests.services.audit.support import Audit, event
from tests.services.audit.verify.support import run_alone
from tests.shared.tlog import naive

SIGNER = NoteSigner("example.com/log", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
KEYS = [parse_key(str(SIGNER.verifier_key))]
ENTRIES = [b'{"n":%d}' % n for n in range(20)]


def _receipt(
    index: int = 6, size: int = 20, origin: str = SIGNER.verifier_key.name, signer: NoteSigner = SIGNER
) -> str:
    note = sign_checkpoint(Checkpoint(origin, size, naive.mth(ENTRIES[:size])), signer)
    return format_proof(TlogProof(index, tuple(naive.path(index, ENTRIES[:size])), note, ENTRIES[index]))


def _reason(receipt: str | bytes, **more: Any) -> str:
    content = receipt.encode() if isinstance(receipt, str) else receipt
    with pytest.raises(Bad) as caught:
        verify(content, KEYS, **more)
    return str(caught.value)


@pytest.mark.parametrize("size", range(1, 21))
def test_every_true_receipt_is_good(size: int) -> None:
    for index in range(size):
        finding = verify(_receipt(index, size).encode(), KEYS)
        assert (finding.index, finding.size, finding.entry) == (index, size, ENTRIES[index])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_changed_byte_makes_a_receipt_bad(data: st.DataObject) -> None:
    receipt = bytearray(_receipt().encode())
    at = data.draw(st.integers(0, len(receipt) - 1))
    receipt[at] = data.draw(st.integers(0, 255).filter(lambda value: value != receipt[at]))
    with pytest.raises(Bad):
        verify(bytes(receipt), KEYS)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_missing_line_makes_a_receipt_bad(data: st.DataObject) -> None:
    lines = _receipt().splitlines(keepends=True)
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    with pytest.raises(Bad):
        verify("".join(lines).encode(), KEYS)


def test_root_of_another_log_is_refused() -> None:
    stranger = NoteSigner("example.com/log", Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
    assert "not signed by" in _reason(_receipt(signer=stranger))


def test_checkpoint_of_another_origin_under_the_same_key_is_refused() -> None:
    assert "another log" in _reason(_receipt(origin="example.com/other"))


def test_swapped_entry_is_refused() -> None:
    forged = _receipt().replace(base64.b64encode(ENTRIES[6]).decode(), base64.b64encode(b'{"n":7}').decode())
    assert "another root" in _reason(forged)


def test_index_beyond_the_tree_is_refused() -> None:
    assert "not in a log of 20 entries" in _reason(_receipt().replace("index 6\n", "index 20\n"))


def test_receipt_of_another_entry_than_the_one_given_is_refused() -> None:
    assert "another entry" in _reason(_receipt(), entry=ENTRIES[7])


def test_receipt_without_entry_needs_the_entry() -> None:
    lines = [line for line in _receipt().splitlines(keepends=True) if not line.startswith("extra ")]
    assert "--entry" in _reason("".join(lines))
    assert verify("".join(lines).encode(), KEYS, ENTRIES[6]).index == 6


@pytest.mark.parametrize("spelling", ["+6", "06", " 6", "6 ", "0_6", "٦", "-6", "6.0", ""])
def test_index_in_any_other_spelling_is_refused(spelling: str) -> None:
    _reason(_receipt().replace("index 6\n", f"index {spelling}\n"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"PK\x03\x04", _receipt().replace("\n", "\r\n").encode()])
def test_what_is_no_receipt_is_refused(content: bytes) -> None:
    _reason(content)


@given(st.integers(1, 300), st.data())
@settings(max_examples=100, deadline=None)
def test_checker_and_service_agree_on_every_path(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = [leaf_hash(b"%d" % n) for n in range(size)]
    held = tiles.grow(0, leaves, lambda level, n: b"")
    proof = tiles.inclusion_proof(index, size, lambda level, n: held[level, n])
    root = tiles.root_at(size, lambda level, n: held[level, n])
    assert root_from_path(index, size, leaves[index], proof) == root


@pytest.fixture
def files(audit: Audit, tmp_path: Path) -> dict[str, str]:
    """The receipt, key and entry of a real log's entry, as files."""
    audit.append(*(event() for _ in range(4)), event(subtype="diagnosis-released"), event())
    receipt, entry = tmp_path / "r.tlog-proof", tmp_path / "entry.json"
    receipt.write_text(audit.get("/audit/entries/4/receipt", Role.CLINICIAN).text)
    entry.write_bytes(audit.get("/audit/entries/4").content)
    return {"receipt": str(receipt), "key": str(audit.bed.directory / "log.pub"), "entry": str(entry)}


def test_entry_as_the_service_answers_it_is_taken(files: dict[str, str]) -> None:
    assert run_alone("receipt", files["receipt"], "--key", files["key"], "--entry", files["entry"]).returncode == 0


def test_forged_receipt_exits_1_and_says_why(files: dict[str, str]) -> None:
    Path(files["receipt"]).write_text(Path(files["receipt"]).read_text().replace("index 4", "index 3"))
    answer = run_alone("receipt", files["receipt"], "--key", files["key"])
    assert (answer.returncode, answer.stdout.split(":")[0]) == (1, "BAD")


@pytest.mark.parametrize("arguments", [[], ["missing", "--key", "missing"], ["/dev/null", "--key", "x+y+z"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert run_alone("receipt", *arguments).returncode == 2


def test_command_of_the_suite_gives_the_same_verdicts(files: dict[str, str]) -> None:
    arguments = [files["receipt"], "--key", files["key"], "--json"]
    good = CliRunner().invoke(cli, ["verify", "receipt", *arguments])
    before = CliRunner().invoke(cli, ["verify", *arguments])
    Path(files["receipt"]).write_text("not a receipt")
    bad = CliRunner().invoke(cli, ["verify", "receipt", *arguments])
    assert before.stdout == good.stdout, "the form without `receipt` goes on working"
    assert (good.exit_code, json.loads(good.stdout)["good"]) == (0, True)
    assert (bad.exit_code, json.loads(bad.stdout)["good"]) == (1, False)


def test_summary_cannot_steer_a_terminal() -> None:
    leaf = {"event": event(subtype="\x1b[2J"), "receivedAt": "x"}
    assert "\x1b" not in str(summarise(json.dumps(leaf).encode()))


def test_two_lines_of_a_rotated_key_are_accepted_and_either_key_will_do() -> None:
    following = NoteSigner("example.com/log", Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
    receipt = _receipt() + following.sign(_receipt().split("\n\n")[1] + "\n").split("\n\n")[1]
    for signer in (SIGNER, following):
        assert verify(receipt.encode(), [parse_key(str(signer.verifier_key))]).index == 6


def test_a_bad_line_of_a_second_known_key_rejects_the_receipt() -> None:
    following = NoteSigner("example.com/log", Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
    receipt = _receipt() + following.sign("another text\n").split("\n\n")[1]
    assert verify(receipt.encode(), KEYS).index == 6, "an unknown key's line is ignored"
    with pytest.raises(Bad, match="does not verify"):
        verify(receipt.encode(), [*KEYS, parse_key(str(following.verifier_key))])
