"""Mutated messages: each gets an answer or a closed socket, never an internal error, and the next one is taken."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.services.notes.conftest import listening, port_of
from tests.services.notes.hl7_messages import mdm, oru
from tests.support.common import TestBed
from tests.support.mllp import Peer, peer

MESSAGES = (mdm(), mdm("T08", edited="202603141000+0000"), mdm("T10", parent="DOC-0"), mdm("T11"), oru())
SPECIAL = [b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\r\n", b"\x0b", b"\x1c", b"\x1c\x0d", b"\x00", b"\xff", b'""']
SPECIAL += [b"\\X", b"\\.br\\", b"MSH|", b"MSH|^~\\&|", b"TXA|", b"OBX|1|ED|||^TEXT^^Base64^", b"9" * 300]


@pytest.fixture
def door(bed: TestBed, database: str) -> Iterator[TestClient]:
    with listening(bed, database, mllp_idle_timeout_s=20.0, mllp_max_message_bytes=4000) as client:
        yield client


def mutated(chance: random.Random) -> bytes:
    content = bytearray(chance.choice(MESSAGES).encode())
    for _ in range(chance.randint(1, 6)):
        where, much = chance.randrange(len(content) + 1), chance.choice([1, 1, 2, 8, 40])
        match chance.randrange(4):
            case 0:
                content[where : where + much] = chance.randbytes(much)
            case 1:
                del content[where : where + much]
            case 2:
                content[where:where] = chance.choice(SPECIAL)
            case _:
                content[where:where] = content[where : where + much] * chance.choice([1, 3, 50])
    return bytes(content)


def answers_until(other: Peer, control_id: str) -> list[bytes] | None:
    """The answers up to that of a last message; None where the socket was closed."""
    answers: list[bytes] = []
    while (answer := other.receive()) is not None:
        if f"|{control_id}\r".encode() in answer:
            return answers
        answers.append(answer)
    return None


@pytest.mark.parametrize("seed", range(4))
def test_no_mutated_message_stops_the_door(door: TestClient, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(60):
        content = mutated(chance)
        with peer(port_of(door)) as other:
            last = mdm(control_id=f"LAST-{number}", number="LAST", text="The last.")
            other.send(content, last)
            answers = answers_until(other, f"LAST-{number}")
        if len(content) < 4000:
            assert answers is not None, content
        assert not any(b"MSA|AE" in answer for answer in answers or ()), content
