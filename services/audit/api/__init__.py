"""Routes of the audit service: parse, call one use case, answer."""

from services.audit.api import consents, entries, exports, log, models

ROUTERS = [log.router, entries.router, exports.router, consents.router, models.router]
