"""The door and its neighbours in one process, as in the embedded suite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ehr.app import create_app
from services.ehr.settings import EhrSettings
from services.suite.servers import free_port
from shared.auth import Role
from shared.database import migrate
from tests.services.ehr.fhir.test_documents import document
from tests.support.common import TestBed
from tests.support.ehr_neighbours import Ward, neighbours_app
from tests.support.servers import serve

CALLS = 120
"""Three times the threads of the common pool (anyio's 40)."""


class OneProcess:
    """Routes by path prefix to the app that owns it."""

    def __init__(self, ehr: ASGIApp, neighbours: ASGIApp) -> None:
        self._ehr, self._neighbours = ehr, neighbours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outside = scope["type"] == "lifespan" or scope["path"].startswith("/fhir")
        await (self._ehr if outside else self._neighbours)(scope, receive, send)


def test_many_calls_at_once_do_not_starve_the_neighbours_they_wait_for(bed: TestBed) -> None:
    port = free_port()
    ward, url = Ward(), f"http://127.0.0.1:{port}"
    migrate(bed.sqlite("ehr"), "ehr")
    common: Any = bed.common.model_copy(update={"notes_url": url, "vitals_url": url, "diagnosis_url": url})
    ehr = create_app(EhrSettings(database_url=bed.sqlite("ehr")), common)
    headers = bed.headers(Role.EHR_SYSTEM)
    with serve(OneProcess(ehr, neighbours_app(bed, ward)), port), httpx.Client(timeout=60, trust_env=False) as client:
        create = f"{url}/fhir/DocumentReference"
        with ThreadPoolExecutor(CALLS) as pool:
            answers = list(
                pool.map(lambda i: client.post(create, json=document(f"note {i}"), headers=headers), range(CALLS))
            )
    assert {answer.status_code for answer in answers} == {201}
