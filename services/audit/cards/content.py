"""What a registered card says, however much of it there is. A card is whatever JSON its developer registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.audit.domain.registry import Bundle, Stage

NOT_STATED = "The card does not say."


@dataclass(frozen=True)
class Attribute:
    """One source attribute and what the developer says of it."""

    id: str
    title: str
    text: str
    done: bool
    """False: it gives nothing but the reason why there is nothing."""


@dataclass(frozen=True)
class CardContent:
    """A bundle, where it stands, and its card."""

    bundle: Bundle
    stage: Stage

    @property
    def warning(self) -> str:
        """What must be read first; empty where there is nothing."""
        return self.says("warning", absent="")

    def says(self, *names: str, absent: str = NOT_STATED) -> str:
        """The first of these top-level fields that is a text."""
        found = (self.bundle.card.get(name) for name in names)
        return next((value for value in found if isinstance(value, str) and value), absent)

    def categories(self) -> list[tuple[str, list[Attribute]]]:
        """The source attributes by category, as far as the card has them in this form."""
        held = _mapping(self.bundle.card.get("sourceAttributes")).get("categories")
        return [
            (str(category.get("title", "")), [_attribute(one) for one in _mappings(category.get("attributes"))])
            for category in _mappings(held)
        ]

    def attribute(self, id_: str) -> str:
        """What the card says of one source attribute, such as `2.i`."""
        every = (one for _, attributes in self.categories() for one in attributes)
        return next((one.text for one in every if one.id == id_), NOT_STATED)

    def metrics(self) -> list[tuple[str, str, Any]]:
        """(evidence, figure, value) of what was measured for each kind of evidence."""
        patterns = _mapping(_mapping(self.bundle.card.get("metrics")).get("patterns"))
        return [
            (pattern, name, value) for pattern, figures in patterns.items() for name, value in _mapping(figures).items()
        ]


def has_interval(value: Any) -> bool:
    """Whether a figure says how sure it is."""
    return isinstance(value, Mapping) and {"value", "low", "high"} <= value.keys()


def shown(value: Any) -> str:
    """A figure as people read it: with its interval, where it has one."""
    if has_interval(value):
        return f"{shown(value['value'])} [{shown(value['low'])}, {shown(value['high'])}]"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _attribute(held: Mapping[str, Any]) -> Attribute:
    text = str(held.get("text") or NOT_STATED)
    return Attribute(str(held.get("id", "")), str(held.get("title", "")), text, bool(held.get("done")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
