from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.diagnosis.model.config import VitalsConfig
from services.diagnosis.model.encoder import Encoded, Inputs
from services.diagnosis.model.preprocessing.vitals import Readings, VitalsScale, reading_features
from services.diagnosis.model.vitals_encoder import VitalsEncoder
from services.diagnosis.model.vitals_stream import VitalsState

SCALE = VitalsScale((0.0,) * 8, (1.0,) * 8)
Reading = tuple[float, int, float]


def as_batch(readings: list[Reading], at_h: float, dtype: torch.dtype) -> Inputs:
    """What the encoder takes for readings [1, n], oldest first."""
    times, variables, values = (np.array(column) for column in zip(*readings, strict=True))
    selected = Readings(times - at_h, variables, values, 0, at_h % 24)
    return {
        "readings": torch.from_numpy(reading_features(selected, SCALE, np.float64)).to(dtype)[None],
        "times_h": torch.from_numpy(selected.times_h).to(dtype)[None],
        "clock_h": torch.from_numpy(selected.clocks_h()).to(dtype)[None],
        "variables": torch.from_numpy(variables)[None],
        "mask": torch.ones((1, len(times)), dtype=torch.bool),
    }


def encode_anew(network: VitalsEncoder, readings: list[Reading], at_h: float, window_h: float = 96.0) -> Encoded:
    """The same readings as one batch, by the encoder's own forward pass."""
    kept = sorted(reading for reading in readings if reading[0] >= at_h - window_h)
    with torch.no_grad():
        encoded: Encoded = network(as_batch(kept, at_h, next(network.parameters()).dtype))
    return encoded


def add(state: VitalsState, readings: list[Reading]) -> None:
    state.add(*zip(*readings, strict=True))


def assert_same(one: Encoded, other: Encoded, tolerance: float) -> None:
    torch.testing.assert_close(one.tokens, other.tokens, atol=tolerance, rtol=0)
    torch.testing.assert_close(one.pooled, other.pooled, atol=tolerance, rtol=0)


def draw(seed: int, count: int, span_h: float, start_h: float = 480_000.0) -> list[Reading]:
    """Hours since 1970, whole minutes, so that several samples can share a moment."""
    rng = np.random.default_rng(seed)
    times = start_h + np.sort(rng.integers(0, round(span_h * 60), count)) / 60
    return list(zip(times.tolist(), rng.integers(0, 6, count).tolist(), rng.normal(0, 2, count).tolist(), strict=True))


def encoder(dtype: torch.dtype, running_bins: int = 0) -> VitalsEncoder:
    torch.manual_seed(3)
    config = VitalsConfig(width=12, values=8, queries=3, running_bins=running_bins, running_width=16)
    network = VitalsEncoder(16, 4, config)
    # Bins of cases that look like those of the tests, so that most summaries fall inside them.
    cases = [as_batch(draw(100 + seed, 60, 90.0), 480_090.0, torch.float32) for seed in range(20)]
    network.settle({name: torch.cat([case[name] for case in cases]) for name in cases[0]})
    for parameter in (*network.readout.pooler.out.parameters(), *network.readout.pooler.pooled.parameters()):
        torch.nn.init.normal_(parameter, 0.0, 0.1)  # beside summaries the slots begin with zeros
    return network.to(dtype).eval()


EXACT, USUAL = encoder(torch.float64), encoder(torch.float32)
SUMMARISING, USUAL_SUMMARISING = encoder(torch.float64, running_bins=5), encoder(torch.float32, running_bins=5)


# Minutes, variable (two of the eight stay without readings), value.
SAMPLES = st.lists(
    st.tuples(st.integers(0, 150 * 60), st.integers(0, 5), st.floats(-5, 5, width=32)), min_size=2, max_size=60
)


@pytest.mark.parametrize("network", [EXACT, SUMMARISING], ids=["slots", "slots and running summaries"])
@settings(max_examples=60, deadline=None)
@given(samples=SAMPLES, data=st.data())
def test_any_order_and_chunking_reads_as_all_at_once(
    network: VitalsEncoder, samples: list[tuple[int, int, float]], data: st.DataObject
) -> None:
    readings = [(minute / 60, variable, value) for minute, variable, value in samples]
    state, start, told = VitalsState(network, SCALE), 0, []
    while start < len(readings):
        size = data.draw(st.integers(1, 12))
        add(state, readings[start : start + size])
        told += readings[start : start + size]
        start += size
        newest = max(at for at, _, _ in told)
        at_h = newest + data.draw(st.sampled_from([0.0, 0.5, 30.0, 90.0]))
        if data.draw(st.booleans()):
            assert_same(state.read_out(at_h), encode_anew(network, told, at_h), 1e-10)
            told = [reading for reading in told if reading[0] >= at_h - 96.0]
    at_h = max(at for at, _, _ in told)
    assert_same(state.read_out(at_h), encode_anew(network, told, at_h), 1e-10)


@pytest.mark.parametrize("network", [USUAL, USUAL_SUMMARISING], ids=["slots", "slots and running summaries"])
@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_single_precision_stays_within_a_hundred_thousandth_over_ten_days(network: VitalsEncoder, chunk: int) -> None:
    readings = draw(chunk, 1500, 240.0)
    state = VitalsState(network, SCALE)
    for start in range(0, len(readings), chunk):
        add(state, readings[start : start + chunk])
    for wait_h in (0.0, 1.0, 40.0):
        at_h = readings[-1][0] + wait_h
        assert_same(state.read_out(at_h), encode_anew(network, readings, at_h), 1e-5)


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_summaries_kept_over_ten_days_are_those_of_the_window(chunk: int) -> None:
    readings = draw(chunk, 1500, 240.0)
    state = VitalsState(SUMMARISING, SCALE)
    for start in range(0, len(readings), chunk):
        add(state, readings[start : start + chunk])
        if start % 300 == 0:
            state.read_out(readings[start + chunk - 1][0])
    at_h = readings[-1][0] + 3.0
    assert_same(state.read_out(at_h), encode_anew(SUMMARISING, readings, at_h), 1e-10)


def test_readings_in_order_are_never_encoded_twice_within_the_window() -> None:
    state = VitalsState(EXACT, SCALE)
    for reading in draw(0, 300, 90.0):
        add(state, [reading])
    state.read_out(480_000.0 + 90.0)
    assert state.replayed == 0


def test_a_late_reading_replays_its_segment_and_its_successors_alone() -> None:
    state = VitalsState(EXACT, SCALE)
    readings: list[Reading] = [(hour + 0.5, 0, 1.0) for hour in range(48)]  # six in each segment of six hours
    add(state, readings)
    late = (17.75, 0, 3.0)  # the last of the third segment: its successor is the first of the fourth
    add(state, [late])
    assert state.replayed == 6 + 1 + 6
    assert_same(state.read_out(48.0), encode_anew(EXACT, [*readings, late], 48.0), 1e-10)


def test_the_window_forgets_and_the_oldest_reading_left_has_no_predecessor() -> None:
    readings = draw(5, 400, 200.0)
    state = VitalsState(EXACT, SCALE)
    add(state, readings)
    at_h = 480_000.0 + 200.0
    assert_same(state.read_out(at_h), encode_anew(EXACT, readings, at_h), 1e-10)
    assert len(state) == sum(at >= at_h - 96 for at, _, _ in readings)
    assert state.replayed < 0.2 * len(state)


def test_waiting_hands_the_weight_to_no_evidence() -> None:
    encodings = []
    for seed in (1, 2):
        state = VitalsState(EXACT, SCALE, window_h=1e9)
        add(state, draw(seed, 50, 10.0, start_h=0.0))
        encodings.append((state.read_out(10.0), state.read_out(1e5)))
    (early, late), (other_early, other_late) = encodings
    assert not torch.allclose(early.pooled, other_early.pooled, atol=1e-3)
    assert_same(late, other_late, 1e-10)


def test_a_read_out_before_the_newest_reading_is_refused() -> None:
    state = VitalsState(EXACT, SCALE)
    add(state, [(5.0, 0, 1.0)])
    with pytest.raises(ValueError, match="later than"):
        state.read_out(4.0)


def test_a_read_out_of_nothing_is_refused() -> None:
    state = VitalsState(EXACT, SCALE)
    add(state, [(5.0, 0, 1.0)])
    with pytest.raises(ValueError, match="no reading"):
        state.read_out(200.0)
