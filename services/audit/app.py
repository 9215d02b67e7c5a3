"""Wires the audit service."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from services.audit.api import ROUTERS
from services.audit.clients import ErasingClients, ReleaseBarrier
from services.audit.context import AuditContext, BreakGlassRules, ModelRules
from services.audit.domain.consent import Policy
from services.audit.erasing import Erasing
from services.audit.erasure_journal import ErasureJournal
from services.audit.keys import open_signer
from services.audit.sequencer import Sequencer
from services.audit.settings import Settings
from services.audit.storing import StoringSpeakers
from services.audit.usecases.break_glass import unreviewed
from services.audit.verify.faults import CannotCheck
from services.audit.verify.policy import NO_WITNESS, parse_policy
from services.audit.verify.policy import Policy as WitnessPolicy
from services.audit.witnessing import Witnessing
from shared.clock import Clock, utc_now
from shared.database import migrate
from shared.settings import CommonSettings
from shared.web import Runtime, build_runtime, create_service_app

WORKERS = 4
UNREVIEWED = Gauge("consilium_consent_break_glass_unreviewed", "Accesses that broke the glass and were not reviewed.")
OVERDUE = Gauge("consilium_consent_break_glass_overdue", "Those of them whose review is overdue.")
DESCRIPTION = "The verifiable log, consents, and the registry of model bundles."


def create_app(
    settings: Settings | None = None, common: CommonSettings | None = None, *, clock: Clock = utc_now
) -> FastAPI:
    """The audit service's app. Its database is migrated here; its sequencer runs from start-up to shutdown.

    Raises: ValueError: the settings leave something out, or the key files do not belong together.
    """
    settings = settings or Settings()
    common = common or CommonSettings()
    migrate(settings.database_url, "audit")
    runtime = build_runtime("audit", common, settings.database_url, None, clock=clock)
    context, witnessing = _build_context(settings, runtime, lambda: erasing.wake())
    journal = ErasureJournal(settings.erasure_journal or settings.signing_key_file.parent / "erasures.jsonl")
    erasing = Erasing(context, ErasingClients(common, settings.erasure_services), journal)

    @contextmanager
    def _running() -> Iterator[None]:
        witnessing.start()
        context.sequencer.start()
        erasing.start()
        try:
            yield
        finally:
            erasing.stop()
            context.sequencer.stop()
            witnessing.stop()
            context.workers.shutdown()
            if context.barrier is not None:
                context.barrier.close()

    def _waiting_for() -> list[str]:
        waiting = [context.sequencer.damage] if context.sequencer.damage else []
        return waiting + (["patients who were erased are erased again"] if erasing.is_catching_up() else [])

    app = create_service_app(
        "audit", runtime, ROUTERS, description=DESCRIPTION, readiness=_waiting_for, lifespan=_running
    )
    app.state.audit = context
    UNREVIEWED.set_function(lambda: _count(context)[0])
    OVERDUE.set_function(lambda: _count(context)[1])
    return app


def _count(context: AuditContext) -> tuple[float, float]:
    try:
        return unreviewed(context)
    except SQLAlchemyError:
        # A page of metrics must not fail over one of them: nobody knows is no number.
        return math.nan, math.nan


def _build_context(
    settings: Settings, runtime: Runtime, wake_erasing: Callable[[], None]
) -> tuple[AuditContext, Witnessing]:
    signer = open_signer(
        settings.origin,
        settings.signing_key_file,
        settings.public_key_file,
        settings.second_signing_key_file,
        settings.ml_dsa_key_file,
    )
    policy, consents = _read_policy(settings.witness_policy_file), Policy.from_rules(settings.consent_policy)
    sequencer = Sequencer(
        runtime.sessions,
        signer,
        clock=runtime.clock,
        max_pending_events=settings.max_pending_events,
        max_batch_events=settings.max_batch_events,
        published=lambda: witnessing.wake(),
    )
    witnessing = Witnessing(runtime.sessions, policy, clock=runtime.clock, halt=sequencer.halt)
    context = AuditContext(
        sessions=runtime.sessions,
        sequencer=sequencer,
        witnesses=policy,
        verifier_key=signer.verifier_key,
        public_keys=signer.verifier_keys,
        events=runtime.events,
        policy=consents,
        storing=StoringSpeakers(runtime.sessions, consents),
        break_glass=BreakGlassRules(settings.break_glass_open_minutes, settings.break_glass_review_within_hours),
        models=ModelRules(settings.model_subgroup_floor, settings.model_local_activation),
        clock=runtime.clock,
        barrier=ReleaseBarrier(runtime.common) if settings.release_barrier else None,
        retention_years=settings.retention_years,
        erasure_services=settings.erasure_services,
        wake_erasing=wake_erasing,
        workers=ThreadPoolExecutor(WORKERS, "audit-worker"),
    )
    return context, witnessing


def _read_policy(file: Path | None) -> WitnessPolicy:
    if file is None:
        return NO_WITNESS
    try:
        return parse_policy(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, CannotCheck) as error:
        raise ValueError(f"the witnesses' policy {file} cannot be used: {error}") from error
