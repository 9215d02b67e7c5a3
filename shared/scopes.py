"""SMART on FHIR scopes of version 2: `<patient|user|system>/<resource|*>.<c?r?u?d?s?>` (SMART App Launch 2.2, section
"Scopes for requesting FHIR resources").

Letters stand in that order, each once. The finer form with a query (`?category=…`) narrows a grant in ways that are
not enforced here, so it grants nothing, as does every other scope that is not of the form: what is not understood
opens no door. Scopes of version 1 (`.read`, `.write`) are of another form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ORDER = "cruds"
"""Create, read, update, delete, search."""
MOST = 200
"""How many scopes a token may carry."""
_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,63})\.(c?r?u?d?s?)")
_SMART = re.compile(r"(patient|user|system)/")


@dataclass(frozen=True)
class Scope:
    """One grant: whose data, of which resource type (`*`: any), to do what (letters of `cruds`)."""

    level: str
    resource: str
    allows: str

    def __str__(self) -> str:
        return f"{self.level}/{self.resource}.{self.allows}"

    def grants(self, resource: str, interaction: str) -> bool:
        """Whether this lets a caller do `interaction`, a letter of `cruds`, with a resource type."""
        return self.resource in ("*", resource) and interaction in self.allows


@dataclass(frozen=True)
class Scopes:
    """The grants of one token; what is granted by one of them is granted."""

    grants: frozenset[Scope]

    def level_for(self, resource: str, interaction: str) -> str | None:
        """`any` where a user's or a system's scope grants it, `patient` where only a patient's does, else None."""
        levels = {one.level for one in self.grants if one.grants(resource, interaction)}
        if levels - {"patient"}:
            return "any"
        return "patient" if levels else None


def parse_scope(text: str) -> Scope | None:
    """One scope; None where it is of another form or grants nothing."""
    found = _SCOPE.fullmatch(text)
    return Scope(*found.groups()) if found and found.group(3) else None


def parse_scopes(claim: object) -> Scopes | None:
    """The SMART scopes of a token's `scope` claim (RFC 9068 section 2.2.3): None where it has none at all.

    Raises: ValueError: the claim is no text, or longer than any that an issuer gives.
    """
    if claim is None:
        return None
    if not isinstance(claim, str):
        raise ValueError("the claim scope is no text")
    words = claim.split(" ")
    if len(words) > MOST:
        raise ValueError("the claim scope is too long")
    smart = [word for word in words if _SMART.match(word)]
    if not smart:
        return None
    return Scopes(frozenset(scope for scope in map(parse_scope, smart) if scope is not None))
