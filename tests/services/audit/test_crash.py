"""Killed by SIGKILL at every step: what was acknowledged is in the log, once; what was not can be sent again."""

from __future__ import annotations

import pytest

from tests.services.audit.killed import audit_process, check_what_is_left, send_one_by_one
from tests.support.common import TestBed

FAILPOINTS = ["after-enqueue", "after-leaves", "before-commit", "after-commit", "before-publish", "after-publish"]
PASSES = 3


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_log_keeps_every_acknowledged_event_exactly_once(bed: TestBed, failpoint: str) -> None:
    with audit_process(bed, CONSILIUM_AUDIT_FAILPOINT=f"{failpoint}:{PASSES}") as (process, url):
        sent = send_one_by_one(bed, url, 50)
        assert process.wait(timeout=20) == -9, "the failpoint was never reached"
    check_what_is_left(bed, sent)
