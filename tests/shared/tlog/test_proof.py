"""The receipt format: written as the specification's example, read strictly."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shared.tlog.checkpoint import Checkpoint, sign_checkpoint
from shared.tlog.note import NoteError, NoteSigner
from shared.tlog.proof import TlogProof, format_proof, parse_proof, verify_proof
from shared.tlog.tree import ProofError
from tests.shared.tlog import naive

SIGNER = NoteSigner("example.com/log", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
KEYS = [SIGNER.verifier_key]
ENTRIES = [b"%d" % n for n in range(7)]
NOTE = sign_checkpoint(Checkpoint("example.com/log", 7, naive.mth(ENTRIES)), SIGNER)
PROOF = TlogProof(5, tuple(naive.path(5, ENTRIES)), NOTE, ENTRIES[5])


def test_receipt_has_the_lines_of_the_specification() -> None:
    lines = format_proof(PROOF).split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra NQ==", "index 5"]
    assert [len(line) for line in lines[3:6]] == [44, 44, 44]
    assert lines[6:9] == ["", "example.com/log", "7"]


@given(
    st.integers(0, 2**53),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.none() | st.binary(max_size=100),
)
def test_receipt_written_then_read_is_the_same(index: int, hashes: list[bytes], extra: bytes | None) -> None:
    proof = TlogProof(index, tuple(hashes), NOTE, extra)
    assert parse_proof(format_proof(proof)) == proof


def test_true_receipt_verifies() -> None:
    assert verify_proof(PROOF, ENTRIES[5], "example.com/log", KEYS).size == 7


def test_receipt_of_another_entry_does_not_verify() -> None:
    with pytest.raises(ProofError):
        verify_proof(PROOF, ENTRIES[4], "example.com/log", KEYS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("index 5", "index 05"),
        ("index 5", "index +5"),
        ("index 5\n", ""),
        ("extra NQ==", "extra NQ="),
        ("extra NQ==", "extra NR=="),
        ("extra NQ==", "EXTRA NQ=="),
        ("\n\n", "\n"),
        ("\n", "\r\n"),
    ],
)
def test_any_deviation_from_the_receipt_format_is_refused(old: str, new: str) -> None:
    with pytest.raises(NoteError):
        parse_proof(format_proof(PROOF).replace(old, new, 1))


def test_receipt_with_more_hashes_than_any_tree_is_refused() -> None:
    with pytest.raises(NoteError, match="63"):
        parse_proof(format_proof(TlogProof(0, (bytes(32),) * 64, NOTE)))
