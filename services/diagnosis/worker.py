"""The worker process: `python -m services.diagnosis.worker`. Loads the bundles that the model registry names, each
once, and takes one job at a time.

It never forks: a forked model deadlocks in its thread pools. For more throughput start more of these processes.
"""

from __future__ import annotations

import faulthandler
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import numpy as np
import structlog

from services.diagnosis.broker import QUEUES
from services.diagnosis.bundle.errors import BundleError
from services.diagnosis.case import CaseInput, ImageInput, NoteInput, VitalsInput
from services.diagnosis.clients import ContentClient
from services.diagnosis.following import Follower
from services.diagnosis.pulse import Pulse
from services.diagnosis.registry import RegistryClient
from services.diagnosis.rows import OutboxRow
from services.diagnosis.running import Loaded, Predictor, Worker
from services.diagnosis.search.index import VectorIndex
from services.diagnosis.settings import DiagnosisSettings
from services.diagnosis.shelf import SIGNED_BUNDLES, BundleReader, Shelf
from services.diagnosis.tasks import create_worker_app
from shared.codes import HEART_RATE, OXYGEN_SATURATION
from shared.database import migrate
from shared.ids import uuid7
from shared.settings import CommonSettings
from shared.telemetry import configure_logging
from shared.web import Runtime, build_runtime

log = structlog.get_logger(__name__)


def warm_up_case() -> CaseInput:
    """An invented case with all modalities: the first prediction of a process is slow, so nobody should wait for it."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ramp = np.linspace(0.0, 1.0, 512 * 512, dtype=np.float32).reshape(512, 512)
    hours = np.linspace(-71.0, -1.0, 64)
    codes = tuple((HEART_RATE, OXYGEN_SATURATION)[i % 2].code for i in range(64))
    return CaseInput(
        as_of=now,
        images=(ImageInput("warm-up", "2.25.1", ramp, 512, 512, now, "DX", "CHEST", "PA"),),
        notes=(NoteInput("warm-up", "Cough and fever for three days. No chest pain.", now, "34109-9"),),
        vitals=VitalsInput("warm-up", hours, codes, np.where(np.arange(64) % 2 == 0, 80.0, 96.0)),
        age_years=60.0,
        sex="F",
    )


def work(settings: DiagnosisSettings, common: CommonSettings, bundles: BundleReader = SIGNED_BUNDLES) -> int:
    """Work until SIGTERM or Ctrl-C, which let the job in hand finish. Returns the exit status.

    Raises: BundleError: the bundle that came along is refused.
    """
    migrate(settings.database_url, "diagnosis")
    with ExitStack() as stack:
        runtime = build_runtime("diagnosis", common, settings.database_url, OutboxRow)
        stack.callback(runtime.sessions.kw["bind"].dispose)
        stack.callback(runtime.audit.close)
        stack.callback(runtime.keys.close)
        contents, registry = ContentClient(common), RegistryClient(common)
        stack.callback(contents.close)
        stack.callback(registry.close)
        worker_id = uuid7()

        def _prepare(predictor: Predictor) -> Loaded:
            predictor.predict(warm_up_case(), on_stage=lambda _: None)
            return Loaded(predictor, predictor.reader(index_of(settings, runtime, predictor.bundle.digest)))

        models = Follower(registry, Shelf(settings, bundles), _prepare, settings.registry_s)
        models.preload()
        pulse = Pulse(runtime.sessions, settings, worker_id, models.ready_digest, forget=models.forget)
        app = create_worker_app(common.broker_url, Worker(worker_id, runtime, settings, contents, models, pulse))
        models.start()
        stack.callback(models.stop)
        pulse.start()
        stack.callback(pulse.stop)
        log.info("worker is up", worker=worker_id)
        return _consume(app, worker_id)


def index_of(settings: DiagnosisSettings, runtime: Runtime, bundle_digest: str) -> VectorIndex:
    """Where the reference cases of the joint space are searched: in memory, or in PostgreSQL by setting."""
    if settings.vector_index == "pgvector":
        from services.diagnosis.search.pgvector import PgvectorIndex

        return PgvectorIndex(runtime.sessions.kw["bind"], bundle_digest)
    from services.diagnosis.search.exact import ExactIndex

    return ExactIndex()


def _consume(app: Any, worker_id: str) -> int:
    celery_worker = app.Worker(
        hostname=f"{worker_id}@consilium",
        pool="solo",
        queues=list(QUEUES),
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        optimization="fair",
        quiet=True,
    )
    celery_worker.start()
    return int(celery_worker.exitcode or 0)


def main() -> int:
    """Start from the `CONSILIUM_*` environment."""
    # Native code that crashes leaves no exception: the place is written to standard error, function names alone.
    faulthandler.enable()
    common = CommonSettings()
    configure_logging(common.log_level)
    try:
        return work(DiagnosisSettings(), common)
    except BundleError as error:
        log.error("bundle refused", problem=error.slug, detail=error.detail)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
