"""Many samples on PostgreSQL: partitions by month, COPY, and the same answers as everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vitals import migrations
from services.vitals.partitions import ensure_months
from shared.database import create_engine, migrate
from tests.services.vitals.conftest import NOW, Start, in_words, make_sample, runtime_of, send, stored
from tests.services.vitals.test_times import shown

pytestmark = pytest.mark.postgres


@pytest.fixture
def on_postgres(start: Start, postgres_url: str) -> TestClient:
    empty = sa.engine.make_url(postgres_url).update_query_dict({"options": "-csearch_path=vitals"})
    url = empty.render_as_string(hide_password=False)
    migrate(url, "vitals")
    return start(url)


def partitions(client: TestClient) -> dict[str, int]:
    """Rows of each partition that has any."""
    with runtime_of(client).sessions() as session:
        rows = session.execute(sa.text("SELECT tableoid::regclass::text, count(*) FROM sample GROUP BY 1"))
        return {row[0]: row[1] for row in rows}


def test_each_month_has_its_partition_in_utc(on_postgres: TestClient) -> None:
    times = ["2026-01-31T23:59:59Z", "2026-02-01T00:30:00+01:00", "2026-02-01T00:00:00Z", "2025-12-31T23:59:59Z"]
    assert in_words(send(on_postgres, [make_sample(effective=at) for at in times])) == (4, 0, [])
    assert partitions(on_postgres) == {"sample_2026_01": 2, "sample_2026_02": 1, "sample_2025_12": 1}
    assert len(stored(on_postgres)) == 4


def test_clocks_that_were_never_set_share_partitions(on_postgres: TestClient) -> None:
    for first in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2150, 1, 1, tzinfo=UTC)):
        assert in_words(send(on_postgres, shown(NOW - first, [1]))) == (1, 0, [])
    assert partitions(on_postgres) == {"sample_before_1990": 1, "sample_from_2100": 1}
    assert len(stored(on_postgres)) == 2


def test_a_window_looks_into_its_months_alone(on_postgres: TestClient) -> None:
    send(
        on_postgres,
        [make_sample(effective=f"20{year}-0{month}-10T08:00:00Z") for year in (24, 25) for month in (1, 2, 3)],
    )
    query = (
        "EXPLAIN SELECT * FROM sample WHERE tenant = 'default' AND patient = 'P-1001' "
        "AND effective >= '2025-02-27Z' AND effective <= '2025-03-02Z' AND corrected IS NULL"
    )
    with runtime_of(on_postgres).sessions() as session:
        plan = "\n".join(session.scalars(sa.text(query)))
    assert "sample_2025_02" in plan
    assert "sample_2025_03" in plan
    assert "sample_2025_01" not in plan
    assert "sample_2024" not in plan


@pytest.mark.parametrize("text", ["a\\b", "\\N", "tab\\t", "P\\.", "Ünï-7", "\\", "%s {x}"])
def test_text_that_copy_gives_a_meaning_to_is_stored_as_it_is(on_postgres: TestClient, text: str) -> None:
    samples = [make_sample(device=text), make_sample(device=text, effective="2026-03-14T08:31:00Z")]
    assert in_words(send(on_postgres, samples[:1])) == (1, 0, [])
    assert in_words(send(on_postgres, samples)) == (1, 1, [])  # by the table of the transaction's own
    assert [sample["device"] for sample in stored(on_postgres)] == [text, text]


MOMENTS = st.integers(0, 8).map(lambda n: (NOW - timedelta(days=40 * n, hours=1)).isoformat())
BODY = st.lists(
    st.builds(
        lambda patient, at, value: make_sample(patient=patient, effective=at, value=value),
        st.sampled_from(["P-1", "P-2", "P-3"]),
        MOMENTS,
        st.sampled_from([60, 61, 60.0, 1e-300, 123456.789]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(BODY, min_size=1, max_size=4))
def test_whichever_way_they_go_each_sample_is_stored_once(on_postgres: TestClient, bodies: list[Any]) -> None:
    with runtime_of(on_postgres).sessions.begin() as session:
        session.execute(sa.text("DELETE FROM sample"))
    known: set[tuple[Any, ...]] = set()
    for body in bodies:
        keys = {(s["patient"], s["effective"], float(s["value"])) for s in body}
        accepted, duplicates, rejected = in_words(send(on_postgres, body))
        assert (accepted, duplicates, rejected) == (len(keys - known), len(body) - len(keys - known), [])
        known |= keys
    with runtime_of(on_postgres).sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM sample")) == len(known)


def test_months_are_made_once_however_many_ask(on_postgres: TestClient) -> None:
    with runtime_of(on_postgres).sessions.begin() as session:
        for _ in range(2):
            ensure_months(session.connection(), [date(2030, 12, 31), date(1800, 1, 1), date(2300, 1, 1)])
    with runtime_of(on_postgres).sessions() as session:
        assert session.scalar(sa.text("SELECT to_regclass('sample_2030_12') IS NOT NULL"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_samples_of_before_are_kept_by_the_migrations(kind: str, request: pytest.FixtureRequest, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/before.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            sa.text("INSERT INTO batch (number, id, digest, source, received_at) VALUES (1, 'b', 'd', 's', :at)"),
            {"at": "2026-03-14 08:00:00.000000"},
        )
        for at in ("2026-01-31 23:59:59.000000", "2026-03-14 08:00:00.000000"):
            values = "('default', 'P', :at, '8867-4', 'w', 71, '8867-4', 71, '/min', 1)"
            connection.execute(sa.text(f"INSERT INTO sample VALUES {values}"), {"at": at})
        command.upgrade(config, "head")
        assert connection.execute(sa.text("SELECT count(*), count(corrected), min(batch) FROM sample")).one() == (
            2,
            0,
            1,
        )
    engine.dispose()
