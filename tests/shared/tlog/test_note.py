"""Signed notes and checkpoints: the specification's example, and every way to spell one wrongly."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint_text, sign_checkpoint
from shared.tlog.note import NoteError, NoteSigner, open_note, parse_note, parse_verifier_key

SIGNER = NoteSigner("example.com/log", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
STRANGER = NoteSigner("example.com/log", Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
KEYS = [SIGNER.verifier_key]
NOTE = SIGNER.sign("example.com/log\n3\n" + base64.b64encode(b"\x01" * 32).decode() + "\n")

# Key and note published with golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_note_of_the_go_reference_implementation_verifies() -> None:
    note = open_note(GO_NOTE, [parse_verifier_key(GO_KEY)])
    assert note.text.startswith("If you think cryptography")


def test_vkey_line_written_then_read_is_the_same_key() -> None:
    assert parse_verifier_key(str(SIGNER.verifier_key)) == SIGNER.verifier_key


@pytest.mark.parametrize(
    "line", ["", "a+b", GO_KEY.replace("c74f", "c74e"), GO_KEY.replace("Peter", "Paul"), GO_KEY + "=", GO_KEY[:-4]]
)
def test_malformed_vkey_is_refused(line: str) -> None:
    with pytest.raises(NoteError):
        parse_verifier_key(line)


def test_signature_of_an_unknown_key_is_ignored() -> None:
    both = NOTE + STRANGER.sign("x\n").split("\n\n")[1]
    assert open_note(both, KEYS).text == parse_note(NOTE).text


def test_note_that_only_strangers_signed_is_refused() -> None:
    with pytest.raises(NoteError, match="no known key"):
        open_note(STRANGER.sign("text\n"), KEYS)


def test_bad_signature_of_a_known_key_rejects_the_whole_note() -> None:
    second = SIGNER.sign("another text\n").split("\n\n")[1]
    with pytest.raises(NoteError, match="does not verify"):
        open_note(NOTE + second, KEYS)


@pytest.mark.parametrize(
    "broken",
    [
        NOTE[:-1],
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "— ", 1).replace("— ", "–  "),
        NOTE.replace("— ", "—  "),
        NOTE.replace("\n\n", "\n"),
        NOTE + "\n",
        NOTE + "trailing words\n",
        NOTE.replace("3\n", "3\x00\n"),
        NOTE.replace("3\n", "3\t\n"),
        NOTE.rstrip("\n") + "=\n",
        NOTE.rstrip("\n") + " \n",
        "\n\n" + NOTE.split("\n\n")[1],
        NOTE + SIGNER.sign("x\n").split("\n\n")[1] * 16,
        "x" * 1_000_001,
    ],
)
def test_any_deviation_from_the_note_format_is_refused(broken: str) -> None:
    with pytest.raises(NoteError):
        open_note(broken, KEYS)


def test_sixteen_signatures_are_accepted() -> None:
    line = NOTE.split("\n\n")[1]
    assert open_note(NOTE + line * 15, KEYS)


def test_invalid_utf8_is_refused() -> None:
    with pytest.raises(NoteError, match="UTF-8"):
        parse_note(b"\xff" + NOTE.encode())


@pytest.mark.parametrize("size", ["+3", "03", " 3", "3 ", "1_0", "-3", "", "3.0", "٣", "9" * 20])
def test_checkpoint_size_in_any_other_spelling_is_refused(size: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint_text(f"example.com/log\n{size}\n{base64.b64encode(bytes(32)).decode()}\n")


@pytest.mark.parametrize(
    "root", ["", "AAAA", base64.b64encode(bytes(33)).decode(), base64.b64encode(bytes(32)).decode()[:-1]]
)
def test_checkpoint_root_of_another_length_is_refused(root: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint_text(f"example.com/log\n3\n{root}\n")


def test_checkpoint_of_another_log_is_refused() -> None:
    note = sign_checkpoint(Checkpoint("example.com/other", 3, bytes(32)), SIGNER)
    with pytest.raises(NoteError, match="another log"):
        open_checkpoint(note, "example.com/log", KEYS)


def test_checkpoint_written_then_read_is_the_same() -> None:
    checkpoint = Checkpoint("example.com/log", 20852163, b"\x09" * 32)
    assert open_checkpoint(sign_checkpoint(checkpoint, SIGNER), "example.com/log", KEYS) == checkpoint
