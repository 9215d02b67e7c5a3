"""C2SP `tlog-witness`, status by status, and the race that the specification warns of (fault 25)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from shared.tlog.cosignature import parse_cosignature_key
from shared.tlog.note import open_note
from shared.tlog.witnessing import AddCheckpoint, format_add_checkpoint
from tests.services.witness.support import LEAVES, ORIGIN, Log, Witness, open_witness
from tests.shared.tlog import naive
from tests.shared.tlog.signers import signer_of
from tests.support.common import REFERENCE_DATA

LOG = Log()
FORK = Log(leaves=[b"forged", *LEAVES[1:]])
NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def witness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Witness]:
    """A witness that watches one log, on each database."""
    changed: dict[str, Any] = {}
    if request.param == "postgres":
        import sqlalchemy as sa

        url = sa.engine.make_url(request.getfixturevalue("postgres_url"))
        url = url.update_query_dict({"options": "-csearch_path=witness"})
        changed = {"database_url": url.render_as_string(hide_password=False)}
    with open_witness(tmp_path, clock=lambda: NOON, **changed) as running:
        yield running


def _known(witness: Witness) -> int:
    return int(witness.client.get("/checkpoint", params={"origin": ORIGIN}).text.split("\n")[1])


def test_growing_log_is_cosigned_step_by_step(witness: Witness) -> None:
    for old, size in [(0, 3), (3, 3), (3, 4), (4, 130), (130, 200)]:
        answer = witness.ask(LOG.request(old, size))
        assert (answer.status_code, _known(witness)) == (200, size), answer.text


def test_cosignature_is_the_witnesss_on_this_checkpoint_with_the_time(witness: Witness) -> None:
    line = witness.ask(LOG.request(0, 5)).text
    key = parse_cosignature_key(witness.vkey)
    note = open_note(LOG.note(5) + line, [LOG.signer.verifier_key, key])
    assert [signature.name for signature in note.signatures] == [ORIGIN, "auditor.example/w1"]
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == int(NOON.timestamp())


def test_first_checkpoint_may_be_the_empty_tree(witness: Witness) -> None:
    assert witness.ask(LOG.request(0, 0)).status_code == 200
    assert witness.ask(LOG.request(0, 7)).status_code == 200


def test_stale_old_size_is_409_with_the_size_that_is_known(witness: Witness) -> None:
    witness.ask(LOG.request(0, 9))
    for old in (0, 4, 10):
        answer = witness.ask(LOG.request(old, 20))
        assert (answer.status_code, answer.text) == (409, "9\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
    assert _known(witness) == 9


def test_unknown_origin_is_404(witness: Witness) -> None:
    assert witness.ask(Log(signer_of(1, "elsewhere.example/log")).request(0, 3)).status_code == 404


@pytest.mark.parametrize("seed", [2, 3])
def test_checkpoint_that_a_stranger_signed_is_403(witness: Witness, seed: int) -> None:
    assert witness.ask(Log(signer_of(seed, ORIGIN)).request(0, 3)).status_code == 403


def test_bad_signature_of_the_known_key_is_403(witness: Witness) -> None:
    forged = LOG.note(3).replace("\n3\n", "\n4\n")
    assert witness.ask(LOG.request(0, 3, note=forged)).status_code == 403


def test_lines_of_unknown_keys_are_ignored(witness: Witness) -> None:
    note = LOG.note(3) + signer_of(9, "other.example/w").line("whatever\n")
    assert witness.ask(LOG.request(0, 3, note=note)).status_code == 200


def test_old_size_beyond_the_checkpoint_is_400(witness: Witness) -> None:
    assert witness.ask(LOG.request(8, 3)).status_code == 400


@pytest.mark.parametrize("proof", [(), (bytes(32),), (bytes(32),) * 63])
def test_proof_that_does_not_verify_is_422(witness: Witness, proof: tuple[bytes, ...]) -> None:
    witness.ask(LOG.request(0, 5))
    answer = witness.ask(LOG.request(5, 20, proof=proof))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "proof")
    assert _known(witness) == 5


def test_proof_from_nothing_must_be_empty(witness: Witness) -> None:
    assert witness.ask(LOG.request(0, 5, proof=(bytes(32),))).status_code == 422


def test_another_tree_of_the_same_size_is_409_and_kept_as_evidence(witness: Witness) -> None:
    witness.ask(LOG.request(0, 5))
    for _ in range(2):
        assert witness.ask(FORK.request(5, 5)).status_code == 409
    (kept,) = witness.client.get("/evidence", params={"origin": ORIGIN}).json()["items"]
    trees = [open_checkpoint(kept[name], ORIGIN, [LOG.signer.verifier_key]) for name in ("known", "shown")]
    assert (trees[0].size, trees[1].size) == (5, 5)
    assert trees[0].root != trees[1].root


def test_fork_that_grew_is_refused_whatever_its_proof(witness: Witness) -> None:
    witness.ask(LOG.request(0, 5))
    assert witness.ask(FORK.request(5, 20)).status_code == 422
    assert len(witness.client.get("/evidence", params={"origin": ORIGIN}).json()["items"]) == 1


@pytest.mark.parametrize("spelling", [b"+0", b"00", b" 0", b"0 ", b"0x0", b"-0", b"", b"\xd9\xa0", b"9" * 20, b"1_0"])
def test_old_size_in_any_other_spelling_is_400(witness: Witness, spelling: bytes) -> None:
    assert witness.ask(LOG.request(0, 3).replace(b"old 0\n", b"old " + spelling + b"\n")).status_code == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"old 0", b"old 0\n\n", b"\xff\xfe", LOG.request(0, 3).replace(b"\n", b"\r\n"), LOG.request(0, 3)[:-1],
     LOG.request(0, 3).replace(b"old ", b"OLD "), LOG.request(0, 3, proof=(bytes(32),) * 64),
     LOG.request(0, 3).replace(b"old 0\n", b"old 0\nAAAA\n"), LOG.request(0, 3) + b"\n"],
)  # fmt: skip
def test_what_is_no_request_is_400(witness: Witness, body: bytes) -> None:
    assert witness.ask(body).status_code == 400


def test_huge_body_is_413(witness: Witness) -> None:
    assert witness.ask(b"old 0\n" + b"A" * 2_000_000).status_code == 413


def test_a_request_overtaken_by_a_larger_one_rolls_nothing_back(witness: Witness) -> None:
    witness.ask(LOG.request(0, 10))
    sizes = [11, 200, 12, 150, 13, 100, 14, 120]
    with ThreadPoolExecutor(len(sizes)) as pool:
        answers = list(pool.map(lambda size: (size, witness.ask(LOG.request(10, size)).status_code), sizes))
    (winner,) = [size for size, status in answers if status == 200]
    assert {status for _, status in answers} == {200, 409}
    assert _known(witness) == winner


def test_what_was_cosigned_is_known_after_a_restart(tmp_path: Path) -> None:
    with open_witness(tmp_path) as witness:
        witness.ask(LOG.request(0, 40))
    with open_witness(tmp_path) as witness:
        assert witness.ask(LOG.request(0, 50)).text == "40\n"
        assert witness.ask(LOG.request(40, 50)).status_code == 200


def test_both_keys_of_a_log_whose_key_changes_are_taken(tmp_path: Path) -> None:
    following = Log(signer_of(2, ORIGIN))
    with open_witness(tmp_path, str(LOG.signer.verifier_key), str(following.signer.verifier_key)) as witness:
        assert witness.ask(LOG.request(0, 10)).status_code == 200
        assert witness.ask(following.request(10, 20)).status_code == 200


def _vectors() -> list[Any]:
    file = REFERENCE_DATA / "tlog" / "consistency.json"
    if not file.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="needs ../shared/data/tlog"))]
    return [pytest.param(case, id=case["file"]) for case in json.loads(file.read_text())]


@pytest.mark.parametrize("case", _vectors())
def test_published_consistency_vector_is_judged_as_published(tmp_path: Path, case: dict[str, Any]) -> None:
    roots = [base64.b64decode(case[name] or "") for name in ("root1", "root2")]
    if case["size1"] == 0 or case["size2"] < case["size1"] or any(len(root) != 32 for root in roots):
        pytest.skip("no witness could come to such a question")
    notes = [
        sign_checkpoint(Checkpoint(ORIGIN, case[size], root), LOG.signer)
        for size, root in zip(("size1", "size2"), roots, strict=True)
    ]
    proof = tuple(base64.b64decode(value) for value in case["proof"] or [])
    with open_witness(tmp_path) as witness:
        assert witness.ask(format_add_checkpoint(AddCheckpoint(0, (), notes[0])).encode()).status_code == 200
        request = format_add_checkpoint(AddCheckpoint(case["size1"], proof, notes[1]))
        assert (witness.ask(request.encode()).status_code == 200) is not case["wantErr"], case["desc"]


def test_naive_trees_are_those_of_the_requests() -> None:
    assert open_checkpoint(LOG.note(7), ORIGIN, [LOG.signer.verifier_key]).root == naive.mth(LEAVES[:7])
