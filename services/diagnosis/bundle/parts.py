"""How one field of a bundle's contents becomes JSON and arrays, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Part:
    """One field: its JSON stands in `file` under its name, its arrays in the statistics under `<field>.`."""

    field: str
    file: str | None
    """None: it has no JSON."""
    split: Callable[[Any], tuple[Any, Arrays]]
    """The value as (JSON, arrays by short name)."""
    join: Callable[[Any, Arrays], Any]
    """The inverse."""
    optional: bool = False
    """A bundle without it is read; the field then keeps its default."""


def as_json(
    field: str, file: str, to_json: Callable[[Any], Any], from_json: Callable[[Any], Any], *, optional: bool = False
) -> Part:
    """A part that is JSON alone."""
    return Part(field, file, lambda value: (to_json(value), {}), lambda json, _: from_json(json), optional)


def as_arrays(
    field: str, to_arrays: Callable[[Any], Arrays], from_arrays: Callable[[Arrays], Any], *, optional: bool = False
) -> Part:
    """A part that is arrays alone."""
    return Part(field, None, lambda value: (None, to_arrays(value)), lambda _, arrays: from_arrays(arrays), optional)


def one_array(field: str, kind: type[np.generic], *, optional: bool = False) -> Part:
    """A part that is a single array."""
    return as_arrays(
        field, lambda value: {"array": value.astype(kind)}, lambda arrays: arrays["array"], optional=optional
    )


def array_groups(
    field: str, to_arrays: Callable[[Any], Mapping[str, NDArray[Any]]], from_arrays: Callable[[Arrays], Any]
) -> Part:
    """A part that is a value with arrays for each of several names (no dots in them), such as modalities."""

    def split(groups: Mapping[str, Any]) -> Arrays:
        return {f"{name}.{key}": array for name, one in groups.items() for key, array in to_arrays(one).items()}

    def join(arrays: Arrays) -> dict[str, Any]:
        names = sorted({key.partition(".")[0] for key in arrays})
        return {name: from_arrays(under(arrays, name)) for name in names}

    return as_arrays(field, split, join)


def take_apart(parts: Iterable[Part], contents: Any) -> tuple[dict[str, dict[str, Any]], Arrays]:
    """(file -> field -> JSON, arrays) of all parts; a field that is None is left out."""
    documents: dict[str, dict[str, Any]] = {}
    arrays: Arrays = {}
    for part in parts:
        value = getattr(contents, part.field)
        if value is None:
            continue
        json, own = part.split(value)
        if part.file is not None:
            documents.setdefault(part.file, {})[part.field] = json
        arrays |= {f"{part.field}.{key}": np.ascontiguousarray(array) for key, array in own.items()}
    return documents, arrays


def put_together(parts: Iterable[Part], documents: Mapping[str, Mapping[str, Any]], arrays: Arrays) -> dict[str, Any]:
    """Field -> value.

    Raises: KeyError: a part that is not optional is not there.
    """
    values: dict[str, Any] = {}
    for part in parts:
        own = under(arrays, part.field)
        there = part.field in documents[part.file] if part.file is not None else bool(own)
        if part.optional and not there:
            continue
        values[part.field] = part.join(documents[part.file][part.field] if part.file is not None else None, own)
    return values


def under(arrays: Mapping[str, NDArray[Any]], name: str) -> Arrays:
    """The arrays below a name, without it."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
