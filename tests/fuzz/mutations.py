"""Makes broken input out of good input, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

CHANGES = (1, 1, 1, 2, 3, 6)
LENGTHS = (1, 1, 2, 4, 8, 40, 300)
NUMBERS = (b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"\xfe\xff\xff\xff")
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**400, -1e308, 0.1, "", " ", "\x00", "\ud800", "\u202e", "a" * 5000, "9" * 400,
    "2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "../../etc/passwd", "' OR 1=1 --", "<script>", [], {}, [[]], [None],
    {"": None}, [{}] * 40,
)  # fmt: skip
"""What stands where something else was expected. Lone surrogates are written as escapes, so that they are JSON."""


def mutate_bytes(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """One to six changes: bytes replaced, removed, repeated, cut off, set to extreme numbers, or taken from others."""
    changed = bytearray(content)
    for _ in range(chance.choice(CHANGES)):
        where, much = chance.randrange(len(changed) + 1), chance.choice(LENGTHS)
        match chance.randrange(7):
            case 0:
                changed[where : where + much] = chance.randbytes(much)
            case 1:
                del changed[where : where + much]
            case 2:
                changed[where:where] = changed[where : where + much] * chance.choice([1, 3, 50])
            case 3:
                del changed[where:]
            case 4:
                number = chance.choice(NUMBERS)
                changed[where : where + len(number)] = number
            case 5:
                bit = 1 << chance.randrange(8)
                changed[where : where + 1] = bytes(byte ^ bit for byte in changed[where : where + 1])
            case _:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                changed[where:where] = other[start : start + much * 10]
    return bytes(changed)


def mutate_json(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """A document whose members have odd values, are gone, renamed or nested; one in four is broken in its bytes too."""
    document = json.loads(content)
    for _ in range(chance.choice(CHANGES)):
        document = _changed(chance, document)
    told = json.dumps(document).encode()
    return mutate_bytes(chance, told, others) if chance.random() < 0.25 else told


def _changed(chance: random.Random, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or chance.random() < 0.05:
        return chance.choice(ODD_VALUES)
    if isinstance(value, list):
        place = chance.randrange(len(value))
        return [*value[:place], _changed(chance, value[place]), *value[place + 1 :]]
    name = chance.choice(sorted(value))
    acts: list[Callable[[], dict[str, Any]]] = [
        lambda: {**value, name: _changed(chance, value[name])},
        lambda: {key: one for key, one in value.items() if key != name},
        lambda: {**{key: one for key, one in value.items() if key != name}, name.upper() + "x": value[name]},
        lambda: {**value, name: {name: value[name]}},
        lambda: {**value, name: [value[name], value[name]]},
    ]
    return chance.choices(acts, weights=[6, 1, 1, 1, 1])[0]()
