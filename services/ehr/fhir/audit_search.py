"""Search parameters of AuditEvent as terms of the log, and the searchset with its next page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlencode

from services.ehr.errors import UnsupportedSearch
from services.ehr.fhir.audit_events import OUTCOME_CODES, OWN_SUBTYPES, OWN_TYPES, SUBJECT_REF, TYPES
from services.ehr.fhir.reading import Json
from services.ehr.fhir.search import Pairs
from shared.errors import FieldProblem

Pseudonym = Callable[[str], str]
"""A patient's identifier -> their pseudonym in the log."""
SUPPORTED = ("date", "patient", "patient:identifier", "agent", "type", "subtype", "outcome", "_count", "_cursor")
_IGNORED = ("_format", "_pretty", "_total", "_summary")
_PSEUDONYM = re.compile(r"pat-[0-9a-f]{32}")
_DATE = re.compile(r"(eq|ge|gt|le|lt)?(\d{4})(-\d{2})?(-\d{2})?(T.+)?")
_PREFERRED = "use eq, ge, gt, le or lt and a date, or a time with its zone, such as ge2026-01-31"


@dataclass(frozen=True)
class LogSearch:
    """What is asked of the log. `kinds` are its types, any of them; empty: all."""

    terms: dict[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    count: int = 50
    used: tuple[tuple[str, str], ...] = ()
    """The parameters that were understood, with the patient under the pseudonym: a link is a URL."""


def read_log_search(pairs: Pairs, pseudonym: Pseudonym, *, limit: int) -> LogSearch:
    """Read the parameters of a search for AuditEvents. Raises: UnsupportedSearch: naming the parameter."""
    terms: dict[str, Any] = {}
    kinds: tuple[str, ...] = ()
    used: list[tuple[str, str]] = []
    count = limit
    for name, value in pairs:
        if name in _IGNORED:
            continue
        if name != "date" and any(name.partition(":")[0] == other.partition(":")[0] for other, _ in used):
            _refuse(name, "comes twice", "send it once")
        if name == "type":
            kinds = _kinds(value)
        elif name == "_count":
            count = _number(name, value, 1, limit)
        elif name in _READERS:
            _narrow(terms, _READERS[name](name, value, pseudonym))
        else:
            _refuse(name, "is not offered here", f"use {', '.join(SUPPORTED)}")
        is_patient = name.partition(":")[0] == "patient"
        shown = ("patient:identifier", f"{SUBJECT_REF}|{terms['subjectRef']}") if is_patient else (name, value)
        used.append(shown)
    return LogSearch(terms, kinds, count, tuple(used))


def _narrow(terms: dict[str, Any], more: dict[str, Any]) -> None:
    """Of two dates both hold."""
    for name, value in more.items():
        narrower = {"from": max, "to": min}.get(name)
        terms[name] = narrower(terms[name], value) if narrower and name in terms else value


def _patient(name: str, value: str, pseudonym: Pseudonym) -> dict[str, Any]:
    system, _, identifier = value.rpartition("|") if name == "patient:identifier" else ("", "", value)
    identifier = identifier.removeprefix("Patient/")
    if system == SUBJECT_REF and _PSEUDONYM.fullmatch(identifier):
        return {"subjectRef": identifier}
    if system == SUBJECT_REF or not 0 < len(identifier) <= 64:
        _refuse(name, "names no patient", f"send the patient's identifier, or {SUBJECT_REF}|<pseudonym>")
    return {"subjectRef": pseudonym(identifier)}


def _agent(name: str, value: str, _: Pseudonym) -> dict[str, Any]:
    subject = value.removeprefix("Practitioner/").removeprefix("Device/")
    if not 0 < len(subject) <= 200 or not subject.isprintable():
        _refuse(name, "names nobody", "send Practitioner/<sub of the token>")
    return {"actor": subject}


def _subtype(name: str, value: str, _: Pseudonym) -> dict[str, Any]:
    system, code = value.rpartition("|")[::2]
    if system not in ("", OWN_SUBTYPES, OWN_TYPES) or not 0 < len(code) <= 200 or not code.isprintable():
        _refuse(name, "is no code of the log", f"send {OWN_TYPES}|read, or a code of {OWN_SUBTYPES}")
    return {"type" if system == OWN_TYPES else "subtype": code}


def _outcome(name: str, value: str, _: Pseudonym) -> dict[str, Any]:
    code = value.rpartition("|")[2]
    found = [word for word, known in OUTCOME_CODES.items() if known == code]
    if not found:
        _refuse(name, "is no outcome of the log", "send 0 (success), 4 (refused) or 8 (failure)")
    return {"outcome": found[0]}


def _cursor(name: str, value: str, _: Pseudonym) -> dict[str, Any]:
    return {"lastIndex": _number(name, value, 0, 2**53)}


def _date(name: str, value: str, _: Pseudonym) -> dict[str, Any]:
    """A FHIR date stands for all of its day, month or year (R4, 3.1.1.4.7), in UTC; a time for its second."""
    match = _DATE.fullmatch(value)
    if match is None:
        _refuse(name, "is no date", _PREFERRED)
    prefix, whole = match.group(1) or "eq", value.removeprefix(match.group(1) or "")
    try:
        start, end = _span(match, whole)
        first, last = (moment.astimezone(UTC).isoformat() for moment in (start, end))
    except (ValueError, OverflowError):
        _refuse(name, "is no date, or a time without a zone", _PREFERRED)
    return {
        "eq": {"from": first, "to": last}, "ge": {"from": first}, "gt": {"from": last}, "lt": {"to": first},
        "le": {"to": last},
    }[prefix]  # fmt: skip


def _span(match: re.Match[str], text: str) -> tuple[datetime, datetime]:
    _, year, month, day, clock = match.groups()
    if clock:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment, moment + (timedelta(microseconds=1) if moment.microsecond else timedelta(seconds=1))
    start = datetime(int(year), int(month[1:]) if month else 1, int(day[1:]) if day else 1, tzinfo=UTC)
    if day:
        return start, start + timedelta(days=1)
    if month:
        return start, (start + timedelta(days=31)).replace(day=1)
    return start, start.replace(year=start.year + 1)


_READERS: dict[str, Callable[[str, str, Pseudonym], dict[str, Any]]] = {
    "date": _date, "patient": _patient, "patient:identifier": _patient, "agent": _agent, "subtype": _subtype,
    "outcome": _outcome, "_cursor": _cursor,
}  # fmt: skip


def _kinds(value: str) -> tuple[str, ...]:
    """The log's types that a code of R4 stands for, or one of the log's own."""
    system, code = value.rpartition("|")[::2]
    if system in ("", OWN_TYPES) and code in TYPES:
        return (code,)
    known = tuple(kind for kind, coding in TYPES.items() if coding["code"] == code and system in ("", coding["system"]))
    if not known:
        codes = ", ".join(sorted({coding["code"] for coding in TYPES.values()}))
        _refuse("type", "is no type of the log", f"send one of {codes}, or of {OWN_TYPES}: {', '.join(TYPES)}")
    return known


def _number(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit()) or int(value[:17]) < least:
        _refuse(name, "is no such number", f"send a number from {least}" if name == "_cursor" else f"up to {most}")
    return min(int(value[:17]), most)


def log_searchset(base_url: str, search: LogSearch, found: Sequence[Json]) -> Json:
    """The Bundle of a page of AuditEvents, with the link to the next where more were found than are shown."""
    shown, base = found[: search.count], f"{base_url}/AuditEvent"
    links = [{"relation": "self", "url": _url(base, search.used)}]
    if len(found) > len(shown):
        rest = [pair for pair in search.used if pair[0] != "_cursor"]
        following = [*rest, ("_cursor", str(int(shown[-1]["id"]) - 1))]
        links.append({"relation": "next", "url": _url(base, following)})
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if len(found) == len(shown) and "lastIndex" not in search.terms:
        bundle["total"] = len(shown)
    if shown:
        bundle["entry"] = [
            {"fullUrl": f"{base}/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in shown
        ]
    return bundle


def _url(base: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{base}?{urlencode(pairs)}"


def _refuse(name: str, problem: str, fix: str) -> NoReturn:
    raise UnsupportedSearch(f"The search parameter {name} {problem}.", fields=[FieldProblem(name, problem, fix)])
