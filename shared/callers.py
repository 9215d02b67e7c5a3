"""Who calls: roles, and the caller that a verified token names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.scopes import Scopes


class Role(StrEnum):
    """What a caller is. A route names the roles it admits; no role includes another."""

    CLINICIAN = "clinician"
    EHR_SYSTEM = "ehr-system"
    AUDITOR = "auditor"
    ADMIN = "admin"
    RESEARCHER = "researcher"
    """Sees what has left its patient, and nothing else."""
    SERVICE = "service"
    """Our own services calling one another."""


PEOPLE = (Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR, Role.ADMIN, Role.RESEARCHER)


@dataclass(frozen=True)
class Principal:
    """The verified caller."""

    issuer: str
    subject: str
    role: Role
    tenant: str
    client_id: str | None
    jti: str
    scopes: Scopes | None = None
    """What the token's SMART scopes grant; None where it carries none, and the role alone decides."""
    patient: str | None = None
    """The patient in context of a SMART launch."""
