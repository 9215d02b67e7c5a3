"""What a leaf of the log is made of, and what may be asked about leaves.

A leaf is the canonical JSON (RFC 8785) of `{"event": …, "receivedAt": …}`: the event as its producer sent it, and the
time at which we took it. Order is the index, never a clock. A leaf's bytes are public through the tiles, so it holds
no patient data.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import rfc8785

from services.audit.errors import MalformedEvent
from shared.clock import rfc3339
from shared.contracts.audit import AuditEvent
from shared.digests import canonical_json
from shared.errors import FieldProblem
from shared.tlog.tiles import MAX_ENTRY_BYTES

MAX_BODY_BYTES = MAX_ENTRY_BYTES - 100
"""What the server adds around an event fits into the rest."""
MAX_DEPTH = 16
PSEUDONYM = re.compile(r"pat-[0-9a-f]{32}")
COMMITMENT = re.compile(r"hmac:[0-9a-f]{64}")


@dataclass(frozen=True)
class NewEntry:
    """An event ready to be numbered: its canonical bytes and their digest."""

    event: AuditEvent
    body: bytes
    digest: bytes


@dataclass(frozen=True)
class Placed:
    """Where an event stands in the log."""

    index: int
    digest: bytes
    leaf_hash: bytes


@dataclass(frozen=True)
class StoredEntry:
    """A leaf as it is stored."""

    index: int
    entry: bytes
    leaf_hash: bytes


@dataclass(frozen=True)
class EntryFilter:
    """Which entries an auditor asks for; absent means any. Times are those at which the act occurred."""

    type: str | None = None
    subtype: str | None = None
    actor: str | None = None
    subject_ref: str | None = None
    object_id: str | None = None
    producer: str | None = None
    outcome: str | None = None
    purpose: str | None = None
    model: str | None = None
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    first_index: int | None = None
    last_index: int | None = None

    def as_details(self) -> dict[str, Any]:
        """The filter as the log records it."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in given.items()}


Order = Literal["newest", "oldest"]


@dataclass(frozen=True)
class Page:
    """Where to go on reading: beyond the entry `after`, in this order, within the first `size` entries."""

    order: Order
    size: int
    after: int | None = None


def model_of(event: AuditEvent) -> str | None:
    """The digest of the model bundle that an event is about."""
    digest = event.details.get("bundleDigest")
    return digest if isinstance(digest, str) else None


def new_entry(event: AuditEvent, tenant: str, at: str = "events.0") -> NewEntry:
    """Make an event ready for the log. `at` names its place in the request.

    Raises: MalformedEvent: it cannot become a leaf.
    """
    if event.tenant != tenant:
        raise _malformed(f"{at}.tenant", "another tenant than this log's", "send events of this suite's tenant only")
    if event.occurred_at.tzinfo is None:
        raise _malformed(f"{at}.occurredAt", "no time zone", "send an RFC 3339 time with a zone")
    _check_pseudonymous(event, at)
    _check_details(event.details, f"{at}.details", 0)
    value = event.model_dump(mode="json", by_alias=True, exclude_none=True)
    value["occurredAt"] = rfc3339(event.occurred_at)
    try:
        body = canonical_json(value)
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise _malformed(at, "no canonical JSON form", "send integers within 2^53 and valid Unicode text") from error
    if rb"\u0000" in body:
        raise _malformed(at, "a NUL character", "leave control characters out")
    if len(body) > MAX_BODY_BYTES:
        raise _malformed(at, f"more than {MAX_BODY_BYTES} bytes", "put digests into the event, not contents")
    return NewEntry(event, body, hashlib.sha256(body).digest())


def leaf_bytes(body: bytes, received_at: datetime) -> bytes:
    """The leaf. Canonical because `event` sorts before `receivedAt` and `body` is canonical itself."""
    return b'{"event":' + body + b',"receivedAt":"' + rfc3339(received_at).encode() + b'"}'


def _check_pseudonymous(event: AuditEvent, at: str) -> None:
    """Leaves are public: a patient's own identifier, or a digest that anyone could guess back, must not get in."""
    if event.subject_ref is not None and PSEUDONYM.fullmatch(event.subject_ref) is None:
        raise _malformed(f"{at}.subjectRef", "not a pseudonym", "send `Pseudonymiser.patient(…)`, never an identifier")
    digest = event.object.digest if event.object else None
    if digest is not None and COMMITMENT.fullmatch(digest) is None:
        raise _malformed(f"{at}.object.digest", "not a keyed digest", "send `Pseudonymiser.content(…)` of the digest")


def _check_details(value: Any, at: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _malformed(at, "nested too deeply", f"nest at most {MAX_DEPTH} levels")
    if isinstance(value, float):
        raise _malformed(at, "a number with a fraction", 'send it as a decimal string, such as "0.25"')
    if isinstance(value, dict):
        for key, item in value.items():
            _check_details(item, f"{at}.{key}"[:200], depth + 1)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_details(item, f"{at}.{number}", depth + 1)


def _malformed(field: str, problem: str, fix: str) -> MalformedEvent:
    return MalformedEvent("An event cannot be put into the log.", fields=[FieldProblem(field, problem, fix)])
