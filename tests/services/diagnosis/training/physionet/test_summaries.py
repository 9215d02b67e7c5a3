from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from services.diagnosis.datasets.physionet_variables import VARIABLES
from services.diagnosis.training.physionet.stays import NAMES, Stay
from services.diagnosis.training.physionet.summaries import SUMMARIES, RunningSummary, summarise

READINGS = st.lists(st.tuples(st.integers(0, 2880), st.floats(-1e3, 1e3, width=32)), min_size=2, max_size=40)


@given(readings=READINGS)
def test_running_sums_agree_with_numpy(readings: list[tuple[int, float]]) -> None:
    times, values = (np.array(column, np.float64) for column in zip(*sorted(readings), strict=True))
    times = times / 60 - 48
    running = RunningSummary()
    for t, v in zip(times.tolist(), values.tolist(), strict=True):
        running.add(t, v)
    row = dict(zip(SUMMARIES, running.row(), strict=True))
    assert (row["count"], row["first"], row["last"]) == (len(values), values[0], values[-1])
    assert (row["min"], row["max"]) == (values.min(), values.max())
    assert_allclose([row["mean"], row["std"]], [values.mean(), values.std()], atol=1e-6)
    if np.ptp(times) > 0.5:
        assert_allclose(row["slope"], np.polyfit(times, values, 1)[0], atol=1e-5, rtol=1e-5)


def test_what_was_never_measured_is_no_number() -> None:
    glucose, age = NAMES.index("Glucose"), NAMES.index("age")
    stay = Stay(np.array([-48.0, -10.0]), np.array([age, glucose]), np.array([70.0, 5.5]), False)
    row = summarise(stay)
    table = row[: len(VARIABLES) * len(SUMMARIES)].reshape(-1, len(SUMMARIES))
    assert table[glucose].tolist() == [1, 5.5, 5.5, 5.5, 5.5, 5.5, 0, 0]
    others = np.delete(table, glucose, axis=0)
    assert (others[:, 0] == 0).all()
    assert np.isnan(others[:, 1:]).all()
    assert row[len(VARIABLES) * len(SUMMARIES)] == 70.0
