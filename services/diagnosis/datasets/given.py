"""Options of a reader as a command line gives them: text and whole numbers, whatever they stand for."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args, get_type_hints

_SWITCH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def take_as_declared(options: Any) -> None:
    """Turn each field of a dataclass into the type it declares, in place.

    Numbers, switches (true, yes, 1, false, no, 0), one of several words, and text.
    Raises: ValueError: a field cannot be taken; the message names it.
    """
    kinds = get_type_hints(type(options))
    for item in fields(options):
        value = _taken(item.name, getattr(options, item.name), kinds[item.name])
        object.__setattr__(options, item.name, value)


def _taken(name: str, value: object, kind: object) -> object:
    if kind is bool:
        known = _SWITCH.get(str(value).lower())
        if known is None:
            raise ValueError(f"{name} must be true or false")
        return known
    if kind is float:
        try:
            return float(str(value))
        except ValueError:
            raise ValueError(f"{name} must be a number") from None
    words = get_args(kind)
    if words and value not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}")
    return value if words else str(value)
