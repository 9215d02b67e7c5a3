"""What routes are handed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from services.audit.context import AuditContext


def context_of(request: Request) -> AuditContext:
    """FastAPI dependency: the audit context of the app that serves this request."""
    context: AuditContext = request.app.state.audit
    return context


ContextDep = Annotated[AuditContext, Depends(context_of)]
