"""What every service's database does for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from shared import database
from shared.database import DeclarativeBase, create_engine, insert_into, new_metadata, session_factory


class Base(DeclarativeBase):
    metadata = new_metadata()


class ThingRow(Base):
    __tablename__ = "thing"

    name: Mapped[str] = mapped_column(primary_key=True)


@pytest.mark.postgres
def test_a_transaction_that_sleeps_is_ended_and_its_locks_with_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "SLEEPER_MS", 300)
    engine = create_engine(postgres_url)
    Base.metadata.create_all(engine)
    lock = sa.text("SELECT pg_advisory_xact_lock(7)")
    with engine.connect() as sleeper:
        sleeper.execute(lock)
        with engine.begin() as other:
            other.execute(sa.text("SET LOCAL lock_timeout = '20s'"))
            other.execute(lock)
        with pytest.raises(sa.exc.DBAPIError):
            sleeper.execute(sa.text("SELECT 1"))
    engine.dispose()


@pytest.mark.postgres
def test_the_options_of_a_url_stay(postgres_url: str) -> None:
    url = sa.engine.make_url(postgres_url).update_query_dict({"options": "-csearch_path=elsewhere"})
    engine = create_engine(url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SHOW search_path")).scalar_one() == "elsewhere"
        assert connection.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "5min"
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_row_that_is_there_is_left_alone(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path / 'a.db'}"
    engine = create_engine(url)
    Base.metadata.create_all(engine.execution_options(writing=True))
    with session_factory(engine).begin() as session:
        new = insert_into(session, ThingRow).on_conflict_do_nothing(index_elements=["name"]).returning(ThingRow.name)
        assert [session.scalar(new, {"name": name}) for name in ("a", "b", "a")] == ["a", "b", None]
    engine.dispose()
