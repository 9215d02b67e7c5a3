"""NEWS2 against the chart of the Royal College of Physicians (2017), typed off column by column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vitals.derived.domain import Consciousness, Derived, Evidence, Stated
from services.vitals.derived.news2 import news2
from services.vitals.domain import Point, in_order
from services.vitals.signs import SIGN_OF

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
CODES = {
    "respiration": "9279-1",
    "saturation": "59408-5",
    "systolicPressure": "8480-6",
    "pulse": "8867-4",
    "temperature": "8310-5",
    "flow": "3151-8",
    "coma": "9269-2",
}
WELL = {"respiration": 16.0, "saturation": 97.0, "systolicPressure": 120.0, "pulse": 70.0, "temperature": 37.0}
ALERT_ON_AIR = Stated(Consciousness.ALERT, False)


def ask(values: dict[str, float], stated: Stated = ALERT_ON_AIR, minutes_ago: float = 5) -> Derived:
    at = NOW - timedelta(minutes=minutes_ago)
    points = [Point(CODES[name], v, SIGN_OF[CODES[name]].unit, at, "monitor") for name, v in values.items()]
    return news2(Evidence(NOW, in_order(points)), stated)


CHART = [
    # part, first and last value of a column, points
    ("respiration", 3, 8, 3), ("respiration", 9, 11, 1), ("respiration", 12, 20, 0), ("respiration", 21, 24, 2),
    ("respiration", 25, 60, 3),
    ("saturation", 70, 91, 3), ("saturation", 92, 93, 2), ("saturation", 94, 95, 1), ("saturation", 96, 100, 0),
    ("systolicPressure", 40, 90, 3), ("systolicPressure", 91, 100, 2), ("systolicPressure", 101, 110, 1),
    ("systolicPressure", 111, 219, 0), ("systolicPressure", 220, 300, 3),
    ("pulse", 20, 40, 3), ("pulse", 41, 50, 1), ("pulse", 51, 90, 0), ("pulse", 91, 110, 1), ("pulse", 111, 130, 2),
    ("pulse", 131, 200, 3),
    ("temperature", 30.0, 35.0, 3), ("temperature", 35.1, 36.0, 1), ("temperature", 36.1, 38.0, 0),
    ("temperature", 38.1, 39.0, 1), ("temperature", 39.1, 42.0, 2),
]  # fmt: skip


@pytest.mark.parametrize(("part", "first", "last", "points"), CHART)
def test_each_column_of_the_chart_has_its_points(part: str, first: float, last: float, points: int) -> None:
    step = 0.1 if part == "temperature" else 1
    values = [round(first + n * step, 1) for n in range(round((last - first) / step) + 1)]
    for value in values:
        found = ask({**WELL, part: value})
        assert (found.value, found.parts[part]) == (points, points), value


@pytest.mark.parametrize(
    ("saturation", "on_air", "on_oxygen"),
    [(83, 3, 3), (84, 2, 2), (85, 2, 2), (86, 1, 1), (87, 1, 1), (88, 0, 0), (92, 0, 0), (93, 0, 1), (94, 0, 1),
     (95, 0, 2), (96, 0, 2), (97, 0, 3), (100, 0, 3)],
)  # fmt: skip
def test_scale_2_depends_on_oxygen(saturation: float, on_air: int, on_oxygen: int) -> None:
    for oxygen, points in ((False, on_air), (True, on_oxygen)):
        found = ask({**WELL, "saturation": saturation}, Stated(Consciousness.ALERT, oxygen, hypercapnic_target=True))
        assert (found.parts["saturation"], found.value) == (points, points + 2 * oxygen)


@pytest.mark.parametrize(("state", "points"), [("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3)])
def test_anything_less_than_alert_is_three_points(state: str, points: int) -> None:
    assert ask(WELL, Stated(Consciousness(state), False)).value == points


@pytest.mark.parametrize(
    ("values", "stated", "total", "risk"),
    [
        (WELL, ALERT_ON_AIR, 0, "low"),
        ({**WELL, "respiration": 22.0, "pulse": 95.0}, ALERT_ON_AIR, 3, "low"),
        ({**WELL, "systolicPressure": 88.0}, ALERT_ON_AIR, 3, "low-medium"),
        ({**WELL, "respiration": 22.0, "saturation": 95.0, "pulse": 112.0}, ALERT_ON_AIR, 5, "medium"),
        (
            {"respiration": 24.0, "saturation": 93.0, "systolicPressure": 104.0, "pulse": 118.0, "temperature": 38.6},
            Stated(Consciousness.CONFUSION, True),
            2 + 2 + 2 + 1 + 2 + 3 + 1,
            "high",
        ),
    ],
)
def test_cases_by_hand(values: dict[str, float], stated: Stated, total: int, risk: str) -> None:
    found = ask(values, stated)
    assert (found.value, found.risk, found.missing, found.completeness) == (total, risk, (), 1.0)


def test_what_is_missing_leaves_a_range() -> None:
    found = ask(WELL, Stated())
    assert (found.value, found.at_least, found.at_most, found.risk) == (None, 0, 5, None)
    assert set(found.missing) == {"consciousness", "oxygen"}
    assert found.reason == "not known: consciousness, oxygen"
    nothing = ask({}, Stated())
    assert (nothing.at_least, nothing.at_most, nothing.completeness) == (0, 20, 0.0)


def test_risk_is_told_where_what_is_missing_cannot_change_it() -> None:
    bad = {"respiration": 26.0, "saturation": 90.0, "pulse": 120.0}
    assert ask(bad, Stated()).risk == "high"


def test_coma_score_and_flow_say_what_nobody_states() -> None:
    assert ask({**WELL, "coma": 15.0, "flow": 0.0}, Stated()).value == 0
    assert ask({**WELL, "coma": 14.0, "flow": 2.0}, Stated()).value == 5


def test_readings_of_an_hour_ago_are_missing() -> None:
    assert ask(WELL, minutes_ago=60).missing == ()
    assert len(ask(WELL, minutes_ago=61).missing) == 5


STATED = [Stated(*all_three) for all_three in product([None, *Consciousness], [None, False, True], [False, True])]


@given(
    known=st.sets(st.sampled_from(sorted(WELL))),
    stated=st.sampled_from(STATED),
    filled=st.fixed_dictionaries(
        {
            "respiration": st.integers(4, 40).map(float), "saturation": st.integers(75, 100).map(float),
            "systolicPressure": st.integers(60, 240).map(float), "pulse": st.integers(30, 160).map(float),
            "temperature": st.integers(330, 420).map(lambda n: n / 10),
        }
    ),
    truth=st.tuples(st.sampled_from(list(Consciousness)), st.booleans()),
)  # fmt: skip
def test_range_holds_the_score_whatever_was_missing(
    known: set[str], stated: Stated, filled: dict[str, float], truth: tuple[Consciousness, bool]
) -> None:
    partial = ask({name: filled[name] for name in known}, stated)
    oxygen = truth[1] if stated.supplemental_oxygen is None else stated.supplemental_oxygen
    whole = ask(filled, Stated(stated.consciousness or truth[0], oxygen, stated.hypercapnic_target))
    assert whole.value is not None
    assert (partial.at_least or 0) <= whole.value <= (partial.at_most or 0)
    assert partial.risk in (None, whole.risk)
