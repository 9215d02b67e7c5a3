"""What a reader finds in a file: candidates for samples, what is none and why, and what is no vital sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from services.vitals.domain import Sample
from shared.errors import FieldProblem


class Candidate(NamedTuple):
    """What may be a sample."""

    place: str
    """Where it stands in the file: a line, a record, a JSON pointer."""
    document: Mapping[str, Any]
    """Members of a line of `POST /vitals/samples`; absent is what the file does not say."""


class Checked(NamedTuple):
    """What is a sample, as its reader has checked already: by the rules of a line."""

    place: str
    sample: Sample


class Refused(NamedTuple):
    """What cannot be a sample, as the reader itself can tell."""

    place: str
    problem: FieldProblem


class Ignored(NamedTuple):
    """A record of something else: no vital sign known here."""

    place: str


Item = Candidate | Checked | Refused | Ignored


def candidate(place: str, **members: Any) -> Candidate:
    """A candidate with those members that the file has."""
    return Candidate(place, {name: value for name, value in members.items() if value is not None})


def member(value: Any, *path: str | int) -> Any:
    """What stands at a path of names and positions in parsed JSON, None where there is nothing."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
