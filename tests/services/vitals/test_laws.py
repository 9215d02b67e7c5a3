"""Laws of ingest: whatever was sent, in whatever order and however often, is there exactly once."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vitals.content import compress, decompress, from_bytes, to_bytes
from services.vitals.domain import Point, in_order, thin_out
from services.vitals.intake import read_batch
from tests.services.vitals.conftest import NDJSON, make_sample, send

T0 = datetime(2026, 3, 14, tzinfo=UTC)
TIMES = st.integers(0, 5).map(lambda n: T0 + timedelta(minutes=n))
SAMPLES = st.builds(
    lambda value, at, device: make_sample(value=value, effective=at.isoformat(), device=device),
    st.integers(60, 63),
    TIMES,
    st.sampled_from(["a", "b", None]),
)
POINTS = st.lists(
    st.builds(
        Point,
        st.sampled_from(["8867-4", "59408-5"]),
        st.floats(0, 100),
        st.just("%"),
        TIMES,
        st.sampled_from(["", "Ünï"]),
        device_time=st.none(),
        zone_minutes=st.none(),
    ),
    min_size=1,
    max_size=40,
)
_patients = count()


def _key(sample: dict[str, Any]) -> str:
    return json.dumps(sample, sort_keys=True)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=st.lists(SAMPLES, min_size=1, max_size=12), second=st.lists(SAMPLES, min_size=1, max_size=12))
def test_duplicates_change_nothing(client: TestClient, first: list[Any], second: list[Any]) -> None:
    patient = f"P-{next(_patients)}"
    known: set[str] = set()
    for body in (first, second, first[::-1] + second):
        body = [{**sample, "patient": patient} for sample in body]
        new = {_key(sample) for sample in body} - known
        receipt = send(client, body).json()
        assert (receipt["accepted"], receipt["duplicates"]) == (len(new), len(body) - len(new))
        known |= new


@given(points=POINTS)
def test_content_reads_back_as_it_was_written(points: list[Point]) -> None:
    assert from_bytes(decompress(compress(to_bytes("P", points)))) == in_order(points)


@given(points=POINTS, order=st.randoms(use_true_random=False))
def test_content_does_not_depend_on_order(points: list[Point], order: Any) -> None:
    shuffled = list(points)
    order.shuffle(shuffled)
    assert compress(to_bytes("P", shuffled)) == compress(to_bytes("P", points))


@given(points=POINTS, limit=st.integers(4, 50))
def test_thinning_out_keeps_extremes_and_invents_nothing(points: list[Point], limit: int) -> None:
    points = in_order(points)
    kept = thin_out(points, limit)
    assert set(kept) <= set(points)
    assert len(kept) <= limit
    for code in {point.code for point in points}:
        values, left = ([p.value for p in some if p.code == code] for some in (points, kept))
        assert (min(values), max(values)) == (min(left), max(left))


@given(body=st.binary(max_size=400), kind=st.sampled_from([NDJSON["Content-Type"], "application/json"]))
def test_any_bytes_are_samples_or_named_rejections(body: bytes, kind: str) -> None:
    batch = read_batch(io.BytesIO(body), kind, T0)
    assert sum(map(len, batch.samples.values())) + len(batch.rejected) == batch.lines
    assert all(rejection.problem.fix for rejection in batch.rejected)
