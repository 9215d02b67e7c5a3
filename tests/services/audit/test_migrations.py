"""The migrations build what the rows declare, and a log of the first version goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from services.audit import migrations
from services.audit.store.rows import Base
from services.audit.verify.log import verify_log
from services.audit.verify.notes import parse_key
from services.audit.verify.sources import open_source
from shared.database import create_engine, migrate
from tests.services.audit.support import event, open_audit
from tests.support.common import TestBed

LATER = (
    "producer",
    "producer_gap",
    "cosignature",
    "break_glass_review",
    "break_glass",
    "leaf_span",
    "bundle_evidence",
    "erasure_part",
    "erasure",
    "hold",
)
"""Tables that the first version did not have."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/audit.db"
    parsed = sa.engine.make_url(request.getfixturevalue("postgres_url"))
    return parsed.update_query_dict({"options": "-csearch_path=audit"}).render_as_string(hide_password=False)


def test_migrations_and_rows_agree(url: str) -> None:
    migrate(url, "audit")
    engine = create_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    if engine.dialect.name == "sqlite":
        assert differences == []
    else:  # the comparison does not know of indexes that one database alone has
        assert [(kind, index.name) for kind, index in differences] == [("add_index", "ix_leaf_idx_occurred_at")]


def test_log_of_the_first_version_goes_on(bed: TestBed, url: str) -> None:
    """Its entries have no number and its database no guards; both come with the next start."""
    with open_audit(bed, database_url=url) as audit:
        audit.append(event(), event())
    _back_to_the_first(url)
    with open_audit(bed, database_url=url) as audit:
        assert audit.append(event(producerSeq=1))[0]["index"] == 2
        assert audit.get("/audit/producers").json()["items"][0]["highest"] == 1


def test_copies_of_old_entries_are_made_from_the_entries(bed: TestBed, url: str) -> None:
    model, times = "sha256:" + "b" * 64, ("2026-01-02T00:00:00Z", "2025-12-31T23:00:00Z")
    more: dict[str, Any] = {"purposeOfUse": "TREAT", "details": {"bundleDigest": model}}
    with open_audit(bed, database_url=url) as audit:
        audit.append(event(occurredAt=times[0], **more), event(occurredAt=times[1]), event(details={"bundleDigest": 7}))
    _back_to_the_first(url)
    with open_audit(bed, database_url=url) as audit:
        queries: list[dict[str, Any]] = [
            {"purpose": "TREAT"},
            {"model": model},
            {"from": times[0], "to": "2026-01-03T00:00:00Z"},
        ]
        for query in queries:
            assert [entry["index"] for entry in audit.get("/audit/entries", **query).json()["items"]] == [0]
        key = parse_key(audit.vkey)
    with open_source(url.removeprefix("sqlite:///")) as source:
        assert verify_log(source, [key]).faults == []
    engine = create_engine(url)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text("UPDATE leaf SET purpose = 'HRESCH'"))
    engine.dispose()


def test_checker_reads_a_database_from_before_the_copies(bed: TestBed, url: str) -> None:
    with open_audit(bed, database_url=url) as audit:
        audit.append(event(purposeOfUse="TREAT"))
        key = parse_key(audit.vkey)
    _back_to_the_first(url)
    with open_source(url.removeprefix("sqlite:///")) as source:
        assert verify_log(source, [key]).faults == []


def _back_to_the_first(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in LATER:
            connection.execute(sa.text(f"DROP TABLE {table}"))
        for name in ("producer", "outcome", "purpose", "model"):
            connection.execute(sa.text(f"DROP INDEX ix_leaf_{name}_idx"))
        for column in ("producer_seq", "purpose", "model"):
            connection.execute(sa.text(f"ALTER TABLE leaf DROP COLUMN {column}"))
        for column in ("purposes", "recipients", "exceptions", "policy_uri", "source_digest"):
            connection.execute(sa.text(f"ALTER TABLE consent DROP COLUMN {column}"))
        for column in ("reason", "percent"):
            connection.execute(sa.text(f"ALTER TABLE bundle_event DROP COLUMN {column}"))
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("DROP INDEX ix_leaf_idx_occurred_at"))
            names = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.execute(sa.text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(sa.text("DROP FUNCTION refuse_change CASCADE"))
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__path__[0])))
        config.attributes["connection"] = connection
        command.stamp(config, "0001", purge=True)
    engine.dispose()
