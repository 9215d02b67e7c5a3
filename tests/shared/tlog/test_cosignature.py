"""Cosignatures: the signed messages spelt out as the specification does, and every way to get one wrong."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.verify import notes
from services.audit.verify.faults import Bad
from shared.tlog.checkpoint import Checkpoint
from shared.tlog.cosignature import Cosigner, Ed25519Cosigner, MlDsaCosigner, parse_cosignature_key, time_of
from shared.tlog.note import NoteError, open_note
from tests.shared.tlog.signers import signer_of

LOG = signer_of(7)
SECRET = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
PQ_SECRET = MLDSA44PrivateKey.from_seed_bytes(b"\x04" * 32)
COSIGNERS: dict[str, Cosigner] = {
    "Ed25519": Ed25519Cosigner("witness.example.com/w1", SECRET),
    "ML-DSA-44": MlDsaCosigner("witness.example.com/w1", PQ_SECRET),
}
TEXT = Checkpoint("example.com/log", 20852163, b"\x09" * 32).text
TIME = 1679315147


@pytest.fixture(params=COSIGNERS)
def cosigner(request: pytest.FixtureRequest) -> Cosigner:
    """A cosigner of each kind."""
    return COSIGNERS[request.param]


def _blob(line: str) -> bytes:
    return base64.b64decode(line.split(" ")[2])


def test_ed25519_signs_the_two_lines_and_the_checkpoint() -> None:
    blob = _blob(COSIGNERS["Ed25519"].line(TEXT, TIME))
    message = b"cosignature/v1\ntime 1679315147\nexample.com/log\n20852163\n" + base64.b64encode(b"\x09" * 32) + b"\n"
    SECRET.public_key().verify(blob[12:], message)
    name_and_key = b"witness.example.com/w1\n\x04" + SECRET.public_key().public_bytes_raw()
    assert (blob[:4], blob[4:12]) == (hashlib.sha256(name_and_key).digest()[:4], TIME.to_bytes(8, "big"))


def test_ml_dsa_signs_the_structure() -> None:
    blob = _blob(COSIGNERS["ML-DSA-44"].line(TEXT, TIME))
    size = (20852163).to_bytes(8, "big")
    head = b"subtree/v1\n\x00" + b"\x16witness.example.com/w1" + TIME.to_bytes(8, "big") + b"\x0fexample.com/log"
    PQ_SECRET.public_key().verify(blob[12:], head + bytes(8) + size + b"\x09" * 32)
    assert len(blob) == 4 + 8 + 2420


def test_line_verifies_under_the_logs_note_and_states_the_time(cosigner: Cosigner) -> None:
    note = open_note(LOG.sign(TEXT) + cosigner.line(TEXT, TIME), [LOG.verifier_key, cosigner.key])
    assert time_of(note.signatures[1].signature) == TIME


def test_the_two_implementations_agree(cosigner: Cosigner) -> None:
    log, witness = notes.parse_key(str(LOG.verifier_key)), notes.parse_key(str(cosigner.key))
    signed = LOG.sign(TEXT)
    opened = notes.open_checkpoint(signed + cosigner.line(TEXT, TIME), [log], [witness])
    assert opened.cosigned == ((witness, TIME),)
    with pytest.raises(Bad, match="does not verify"):
        notes.open_checkpoint(signed + cosigner.line(TEXT.replace("2085", "2086"), TIME), [log], [witness])


def test_vkey_line_written_then_read_is_the_same(cosigner: Cosigner) -> None:
    assert parse_cosignature_key(str(cosigner.key)) == cosigner.key


@pytest.mark.parametrize("broken", ["", "a+b", "a+b+c", str(LOG.verifier_key), "x y+00000000+BAAA"])
def test_what_is_no_witnesss_key_is_refused(broken: str) -> None:
    with pytest.raises(NoteError):
        parse_cosignature_key(broken)


@given(st.integers(0, 70), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_any_changed_byte_of_a_signature_is_noticed(at: int, change: int) -> None:
    cosigner = COSIGNERS["Ed25519"]
    signature = bytearray(_blob(cosigner.line(TEXT, TIME))[4:])
    signature[at] ^= change
    assert not cosigner.key.verify(TEXT, bytes(signature))


@pytest.mark.parametrize("length", [0, 8, 71, 73])
def test_signature_of_another_length_is_refused(cosigner: Cosigner, length: int) -> None:
    assert not cosigner.key.verify(TEXT, bytes(length))
