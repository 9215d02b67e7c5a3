"""Routes of the audit service: parse, call one use case, answer."""

from services.audit.api import (
    break_glass,
    consents,
    entries,
    erasures,
    exports,
    log,
    model_evidence,
    model_predictions,
    models,
    reports,
)

ROUTERS = [
    log.router,
    entries.router,
    exports.router,
    reports.router,
    break_glass.router,
    consents.router,
    erasures.router,
    models.router,
    model_evidence.router,
    model_predictions.router,
]
