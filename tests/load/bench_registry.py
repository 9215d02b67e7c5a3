"""What the model registry costs: a worker's question before each case, a rollback, a page of predictions.

    python -m tests.load.bench_registry
    python -m tests.load.bench_registry --questions 2000 --predictions 40000

The audit service on SQLite in a process of its own thread, asked over a real socket. Twenty bundles with full cards
have been through their gates. Intervals are the 2.5th and 97.5th percentile of 1,000 bootstrap medians.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from services.audit.app import create_app
from services.diagnosis.registry import RegistryClient
from shared.auth import Role
from tests.services.audit.support import FULL_CARD, evaluation_of, event, settings_of, signature_of
from tests.support.common import TestBed, make_test_bed
from tests.support.servers import serve

BUNDLES = 20
BATCH = 500


def main() -> None:
    """Print a row for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--predictions", type=int, default=20_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bed = make_test_bed(Path(directory))
        with (
            serve(create_app(settings_of(bed), bed.common)) as url,
            httpx.Client(base_url=url, timeout=60, trust_env=False) as http,
        ):
            _measure(bed, http, url, asked)


def _measure(bed: TestBed, http: httpx.Client, url: str, asked: argparse.Namespace) -> None:
    models = [_active(bed, http, version) for version in range(BUNDLES)]
    registry = RegistryClient(bed.common.model_copy(update={"audit_url": url}))
    _report("a worker's question", [_spent(registry.serving) for _ in range(asked.questions)])
    plain, named = _append(bed, http, models[0]["digest"], asked.predictions)
    _report(f"{BATCH} events without a bundle", plain)
    _report(f"{BATCH} events of predictions", named)
    headers = bed.headers(Role.AUDITOR)
    path = f"/models/{models[0]['id']}/predictions"
    _report("a page of 100 predictions", [_spent(lambda: http.get(path, headers=headers)) for _ in range(100)])
    back = bed.headers(Role.ADMIN)
    _report("a rollback", [_spent(lambda: http.post("/models/rollback", headers=back)) for _ in range(BUNDLES - 1)])
    registry.close()


def _active(bed: TestBed, http: httpx.Client, version: int) -> dict[str, Any]:
    service, admin = bed.headers(Role.SERVICE), bed.headers(Role.ADMIN)
    body = {"name": "m", "version": str(version), "digest": f"sha256:{version + 1:064x}", "card": FULL_CARD}
    model: dict[str, Any] = http.post("/models", json=body, headers=service).raise_for_status().json()
    path = f"/models/{model['id']}"
    http.post(f"{path}/signature", json=signature_of(model["digest"]), headers=service).raise_for_status()
    http.post(f"{path}/evaluations", json=evaluation_of(model["digest"]), headers=service).raise_for_status()
    for subject in ("one", "other"):
        given = {"bundleDigest": model["digest"], "name": subject, "meaning": "approval"}
        person = bed.headers(Role.ADMIN, subject)
        http.post(f"{path}/approvals", json=given, headers=person).raise_for_status()
    http.post(f"{path}/promote", json={"stage": "active"}, headers=admin).raise_for_status()
    return model


def _append(bed: TestBed, http: httpx.Client, digest: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of batches, turn by turn, so that both meet the same machine."""
    spent: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * count // BATCH):
        details = {"bundleDigest": digest} if number % 2 else {"caseDigest": digest}
        batch = {"events": [event(type="prediction", details=details) for _ in range(BATCH)]}
        send = partial(http.post, "/internal/audit/events", json=batch, headers=bed.headers(Role.SERVICE))
        spent[number % 2].append(_spent(send))
    return spent


def _spent(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    answer = act()
    if isinstance(answer, httpx.Response):
        answer.raise_for_status()
    return (time.perf_counter() - started) * 1000


def _report(what: str, times: list[float]) -> None:
    values, draw = np.array(times), np.random.default_rng(0)
    medians = np.median(draw.choice(values, (1000, len(values))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    p95 = np.percentile(values, 95)
    print(f"{what}: n = {len(values)}, median {np.median(values):.2f} [{low:.2f}, {high:.2f}] ms, p95 {p95:.1f} ms")


if __name__ == "__main__":
    main()
