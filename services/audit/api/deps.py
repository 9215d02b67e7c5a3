"""What routes are handed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from services.audit.context import AuditContext
from services.audit.schemas import PLAIN
from shared.auth import Principal, Role, require


async def context_of(request: Request) -> AuditContext:
    """FastAPI dependency: the audit context of the app that serves this request.

    A coroutine: where all pool threads wait for a decision on consent, that decision must not need one.
    """
    context: AuditContext = request.app.state.audit
    return context


Auditor = Annotated[Principal, Depends(require(Role.AUDITOR))]
"""Without a scope: what FHIR has no resource for, a token with scopes does not open."""
Id = Annotated[str, Path(max_length=64, pattern=PLAIN)]
ContextDep = Annotated[AuditContext, Depends(context_of)]
