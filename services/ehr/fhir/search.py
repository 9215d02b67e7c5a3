"""Search parameters of results, and the searchset they are answered with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import urlencode

from services.ehr.errors import UnsupportedSearch
from services.ehr.fhir.reading import Json
from shared.errors import FieldProblem, Forbidden

Pairs = Sequence[tuple[str, str]]

_PATIENT_NAMES = ("patient", "subject", "patient:Patient", "subject:Patient")
_IDENTIFIER_NAMES = ("patient:identifier", "subject:identifier", "patient.identifier", "subject.identifier")
_SUPPORTED = ("_id", *_PATIENT_NAMES, *_IDENTIFIER_NAMES, "_count", "_sort")
_IGNORED = ("_format", "_pretty", "_total", "_summary")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True)
class ResultSearch:
    """What is searched for; at least one of `patient` and `ids` is given. Results come newest first."""

    patient: str | None
    ids: tuple[str, ...]
    count: int
    used: tuple[tuple[str, str], ...]
    """The parameters that were understood, for the self link."""


def read_search(pairs: Pairs, *, limit: int, by_id: bool = True) -> ResultSearch:
    """Read the parameters of a search for results, or of another that goes by patient alone.

    An unknown parameter is refused rather than ignored: silence would show what was not asked for.
    Raises: UnsupportedSearch: naming the parameter.
    """
    patients: list[str] = []
    ids: tuple[str, ...] = ()
    count = limit
    for name, value in pairs:
        if name in _PATIENT_NAMES:
            patients.append(value.rpartition("Patient/")[2])
        elif name in _IDENTIFIER_NAMES:
            patients.append(value.rpartition("|")[2])
        elif name == "_id" and by_id:
            ids = _ids(value)
        elif name == "_count":
            count = _count(value, limit)
        elif name == "_sort":
            _check_sort(value)
        elif name not in _IGNORED:
            _refuse(name, "is not offered here", f"use {', '.join(_SUPPORTED[0 if by_id else 1 :])}")
    used = tuple((name, value) for name, value in pairs if name in _SUPPORTED)
    return ResultSearch(_one(patients, ids), ids, count, used)


def within(limit: str | None, search: ResultSearch) -> ResultSearch:
    """The search, kept to the one patient of the token where it is limited to one.

    Raises: Forbidden: it asks for another patient.
    """
    if limit is None:
        return search
    if search.patient not in (None, limit):
        raise Forbidden("The token's scopes are another patient's.")
    return replace(search, patient=limit)


def searchset(base_url: str, kind: str, search: ResultSearch, resources: Sequence[Json]) -> Json:
    """The Bundle that answers a search for `kind`, at most `count` of its resources.

    `total` is there only where it is known: when no more were found than asked for.
    """
    shown = resources[: search.count]
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "self", "url": f"{base_url}/{kind}?{urlencode(search.used)}"}],
    }
    if len(resources) == len(shown):
        bundle["total"] = len(shown)
    if shown:
        entries = [
            {"fullUrl": f"{base_url}/{kind}/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in shown
        ]
        bundle["entry"] = entries
    return bundle


def _one(patients: list[str], ids: tuple[str, ...]) -> str | None:
    if len(set(patients)) > 1:
        _refuse("patient", "names several patients", "search for one patient at a time")
    if not patients and not ids:
        _refuse("patient", "is missing", "search by patient, subject or _id; results of all patients are not listed")
    if patients and not 0 < len(patients[0]) <= 64:
        _refuse("patient", "is empty or longer than 64 characters", "send the patient's identifier")
    return patients[0] if patients else None


def _ids(value: str) -> tuple[str, ...]:
    ids = tuple(value.split(","))
    if len(ids) > 50 or not all(_ID.fullmatch(one) for one in ids):
        _refuse("_id", "is no list of ids", "send up to 50 ids separated by commas")
    return ids


def _count(value: str, limit: int) -> int:
    if not (value.isascii() and value.isdigit()) or int(value[:6]) == 0:
        _refuse("_count", "is no positive number", f"send a number from 1 to {limit}")
    return min(int(value[:6]), limit)


def _check_sort(value: str) -> None:
    if value != "-date":
        _refuse("_sort", "is an order that is not offered", "leave it out or send -date (newest first)")


def _refuse(name: str, problem: str, fix: str) -> NoReturn:
    raise UnsupportedSearch(f"The search parameter {name} {problem}.", fields=[FieldProblem(name, problem, fix)])
