"""Who may do what with a resource: the role, and the SMART scopes where a token carries some.

A FHIR route admits whom both admit. Scopes of one patient (`patient/…`) reach the results of that patient alone:
evidence and consents are handed on, with the same token, to services that know no such limit and refuse it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from shared.auth import Principal
from shared.errors import Forbidden
from shared.web import PrincipalDep

OPEN_TO_ALL_SCOPES = frozenset({"metadata"})
_BY_METHOD = {"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d"}


async def check_scopes(request: Request, principal: PrincipalDep) -> None:
    """FastAPI dependency of every FHIR route. Raises: Forbidden: no scope of the token grants what is asked."""
    kind, interaction = interaction_of(request.method, request.url.path)
    if principal.scopes is None or kind in OPEN_TO_ALL_SCOPES:
        return
    level = principal.scopes.level_for(kind, interaction)
    if level is None:
        raise Forbidden(f"No scope of the token grants {kind}.{interaction} (SMART App Launch 2.2).")
    if level == "patient" and not principal.patient:
        raise Forbidden("The token has scopes of one patient and names none: launch with launch/patient.")


async def patient_limit(request: Request, principal: PrincipalDep) -> str | None:
    """FastAPI dependency: the one patient whose resources this token may see here; None: any that its role may."""
    return limit_of(principal, *interaction_of(request.method, request.url.path))


def limit_of(principal: Principal, kind: str, interaction: str) -> str | None:
    """The patient to whom an interaction is limited, where only a `patient/…` scope grants it."""
    if principal.scopes is None or principal.scopes.level_for(kind, interaction) == "any":
        return None
    return principal.patient or ""


def interaction_of(method: str, path: str) -> tuple[str, str]:
    """Resource type and interaction, a letter of `cruds`, of a request below `/fhir` (FHIR R4, section 3.1.0)."""
    kind, _, rest = path.removeprefix("/fhir/").partition("/")
    if rest == "_search" or (method == "GET" and not rest):
        return kind, "s"
    return kind, _BY_METHOD.get(method, "r")


PatientLimitDep = Annotated[str | None, Depends(patient_limit)]
