"""Routes of the audit service: parse, call one use case, answer."""

from services.audit.api import consents, entries, log, models

ROUTERS = [log.router, entries.router, consents.router, models.router]
