"""The breaking itself is repeatable, and a fault at a door does not go unseen."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from shared.hl7v2.acks import acknowledgement
from shared.hl7v2.framing import framed
from shared.hl7v2.header import read_header
from tests.fuzz.doors import Answer, Door, acknowledgement_code, all_doors, judged
from tests.fuzz.mutations import mutate_bytes, mutate_json
from tests.fuzz.run import fuzz
from tests.support.suite import RunningSuite, running_suite

DOCUMENT = json.dumps({"patient": "P-1", "nested": {"list": [1, 2, {"deep": True}]}}).encode()


def test_the_same_seed_breaks_alike() -> None:
    first, second = random.Random(7), random.Random(7)
    assert [mutate_bytes(first, DOCUMENT, [b"other"]) for _ in range(50)] == [
        mutate_bytes(second, DOCUMENT, [b"other"]) for _ in range(50)
    ]


def test_json_is_broken_in_meaning_more_often_than_in_form() -> None:
    chance = random.Random(7)
    broken = [mutate_json(chance, DOCUMENT, [DOCUMENT]) for _ in range(400)]
    assert 200 < sum(_is_json(one) for one in broken) < 400
    assert sum(one != DOCUMENT for one in broken) > 390


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("response", "at_fault"),
    [
        (httpx.Response(500, json={"title": "Unexpected"}), True),
        (httpx.Response(503, json={"title": "Unavailable"}), True),
        (httpx.Response(400, text="no"), True),
        (httpx.Response(422, json={"title": "Malformed"}), False),
        (httpx.Response(409, json={"00081198": {}}), False),
        (httpx.Response(200, json={}), False),
    ],
)
def test_an_answer_is_at_fault_where_it_is_ours_or_gives_no_reason(response: httpx.Response, at_fault: bool) -> None:
    assert (judged(response).failure is not None) is at_fault


@pytest.mark.parametrize("header", [b"MSH|^~\\&|EPIC", b"MSH\\^~\\EPIC", b"MSH^~\\&", b"MSH#|~\\&#EPIC"])
def test_the_code_of_an_answer_is_read_with_the_senders_separators(header: bytes) -> None:
    answer = acknowledgement(read_header(header), "AR", (), datetime(2026, 3, 14, tzinfo=UTC), "A-1")
    assert acknowledgement_code(framed(answer)) == "AR"


def test_an_answer_without_an_acknowledgement_has_no_code() -> None:
    assert acknowledgement_code(framed(b"MSH|^~\\&|\r")) == "??"


@dataclass
class LyingDoor:
    """Acknowledges what it never kept, and sometimes does not answer."""

    name: str = "liar"
    seeds: Sequence[bytes] = (b"x",)

    def mutate(self, chance: random.Random, content: bytes) -> bytes:
        return chance.choice([b"silence", b"a note"])

    def send(self, content: bytes) -> Answer:
        if content == b"silence":
            raise httpx.ReadTimeout("nothing came")
        return Answer("201", acknowledged=[("/notes/01a2231e-0b62-7ba1-87ed-689764a8c24d", "a note")])


@pytest.mark.slow
def test_broken_input_at_every_door_and_a_lie_is_found(tmp_path: Path) -> None:
    with running_suite(tmp_path / "data") as suite:
        doors = all_doors(suite, tmp_path, None)
        assert _faults(suite, doors, 20 * len(doors), tmp_path) == []
        lies: list[Door] = [LyingDoor()]
        found = _faults(suite, lies, 8, tmp_path)
    assert any("no answer: ReadTimeout" in fault for fault in found)
    assert any(fault.startswith("lost: /notes/") for fault in found)


def _faults(suite: RunningSuite, doors: list[Door], inputs: int, directory: Path) -> list[str]:
    return fuzz(suite, doors, inputs, seed=3, keep=directory / "kept").faults
