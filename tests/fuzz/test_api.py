"""A small run of the contract's fuzzing, and that it sees what it is for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI, HTTPException

from tests.fuzz.api import fuzz_api, what_is_there
from tests.support.common import TestBed
from tests.support.servers import serve
from tests.support.suite import running_suite


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_operation_keeps_to_what_the_contract_says(tmp_path: Path) -> None:
    with running_suite(tmp_path / "data") as suite:
        strangers = fuzz_api(suite, examples=2, seed=1)
        known = fuzz_api(suite, examples=2, seed=2, known=what_is_there(suite))
    assert len(strangers.operations) == len(known.operations) > 70
    assert known.statuses[200] > 100
    assert strangers.faults | known.faults == {}


def test_an_answer_that_is_not_in_the_contract_is_a_fault(bed: TestBed) -> None:
    app = FastAPI()

    @app.get("/things/{number}")
    def thing(number: int) -> dict[str, int]:
        if number > 0:
            raise HTTPException(418)
        return {"number": number}

    with serve(app) as url:
        suite = SimpleNamespace(address=url, data=SimpleNamespace(issuer=bed.issuer))
        outcome = fuzz_api(suite, examples=20, seed=1)  # type: ignore[arg-type]  # all that it needs of a suite
    assert any("Undocumented status code: Received: 418" in fault for fault in outcome.faults)
