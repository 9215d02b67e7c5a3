"""What every service's web part promises: problems, roles, limits, health, and an outbox that loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from pydantic import AwareDatetime, BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared import outbox
from shared.auth import Principal, Role, require
from shared.contracts.audit import AuditEvent
from shared.database import create_engine, new_metadata, reading
from shared.errors import PROBLEM_JSON, Conflict
from shared.web import Runtime, RuntimeDep, SessionDep, build_runtime, create_service_app
from tests.support.common import TestBed
from tests.support.servers import serve
from tests.support.suite import until


class Base(DeclarativeBase):
    metadata = new_metadata()


class OutboxRow(outbox.OutboxMixin, Base):
    pass


class OutboxCounterRow(outbox.OutboxCounterMixin, Base):
    pass


class Thing(Base):
    __tablename__ = "thing"
    name: Mapped[str] = mapped_column(sa.String(20), primary_key=True)


class ThingIn(BaseModel):
    name: str
    at: AwareDatetime | None = None


router = APIRouter()


@router.post("/things", status_code=201)
def create(
    body: ThingIn, session: SessionDep, runtime: RuntimeDep, who: Annotated[Principal, Depends(require(Role.CLINICIAN))]
) -> dict[str, str]:
    session.add(Thing(name=body.name))
    runtime.record(
        session, runtime.events.event(who, "ingest", "thing", "C", patient="P1", kind="thing", object_id=body.name)
    )
    if body.name == "taken":
        raise Conflict("There is such a thing already.")
    if body.name == "secret-patient-name":
        raise RuntimeError("secret-patient-name broke it")
    return {"name": body.name}


@pytest.fixture
def runtime(bed: TestBed) -> Runtime:
    runtime = build_runtime("things", bed.common, bed.sqlite("things"), OutboxRow)
    Base.metadata.create_all(runtime.sessions.kw["bind"])
    return runtime


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    return create_service_app("things", runtime, [router], description="for tests", max_body_bytes=200)


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def _names(runtime: Runtime) -> set[str]:
    with reading(runtime.sessions) as session:
        return set(session.scalars(sa.select(Thing.name)))


def test_without_a_token_nothing_is_done(http: TestClient, runtime: Runtime) -> None:
    answer = http.post("/things", json={"name": "a"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert answer.headers["www-authenticate"] == "Bearer"
    assert _names(runtime) == set()


def test_the_wrong_role_is_told_which_one_is_needed(http: TestClient, bed: TestBed) -> None:
    answer = http.post("/things", json={"name": "a"}, headers=bed.headers(Role.ADMIN))
    assert answer.status_code == 403
    assert "clinician" in answer.json()["detail"]


def test_a_row_and_its_event_are_one_transaction(http: TestClient, bed: TestBed, runtime: Runtime) -> None:
    assert http.post("/things", json={"name": "a"}, headers=bed.headers()).status_code == 201
    assert http.post("/things", json={"name": "taken"}, headers=bed.headers()).status_code == 409
    assert _names(runtime) == {"a"}
    assert runtime.relay is not None
    assert runtime.relay.lag()[0] == 1


def test_an_unexpected_error_tells_nothing(app: FastAPI, bed: TestBed, capfd: pytest.CaptureFixture[str]) -> None:
    # On a real server: it is the server that would log a traceback.
    with serve(app) as url:
        body = {"name": "secret-patient-name"}
        answer = httpx.post(f"{url}/things", json=body, headers=bed.headers(), trust_env=False)
    assert answer.status_code == 500
    assert "secret-patient-name" not in answer.text
    written = capfd.readouterr()
    assert "unexpected error" in written.out + written.err
    assert "secret-patient-name" not in written.out + written.err


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("{", 400, "1"),
        ("[]", 422, "body"),
        ("{}", 422, "name"),
        ('{"name": 5}', 422, "name"),
        ('{"name": "a", "at": "2026-01-01T00:00:00"}', 422, "at"),
    ],
)
def test_a_malformed_body_is_told_where(http: TestClient, bed: TestBed, body: str, status: int, field: str) -> None:
    answer = http.post("/things", content=body, headers={**bed.headers(), "Content-Type": "application/json"})
    assert answer.status_code == status
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert error["fix"]


def test_a_long_body_is_refused_whether_announced_or_streamed(http: TestClient, bed: TestBed) -> None:
    headers = {**bed.headers(), "Content-Type": "application/json"}
    assert http.post("/things", content=b" " * 300, headers=headers).status_code == 413
    assert http.post("/things", content=iter([b" " * 150, b" " * 150]), headers=headers).status_code == 413


def test_a_path_may_take_longer_bodies_than_others(runtime: Runtime, bed: TestBed) -> None:
    longer = {"/things": 1000}
    app = create_service_app("things", runtime, [router], description="x", max_body_bytes=200, longer_bodies=longer)
    headers = {**bed.headers(), "Content-Type": "application/json"}
    with TestClient(app) as http:
        assert http.post("/things", content=b'{"name": "a"}' + b" " * 300, headers=headers).status_code == 201
        assert http.post("/things", content=b" " * 1001, headers=headers).status_code == 413
        assert http.post("/things/", content=b" " * 300, headers=headers).status_code == 413


def test_health_needs_no_token_and_metrics_do(http: TestClient, bed: TestBed) -> None:
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").status_code == 200
    assert http.get("/metrics").status_code == 401
    assert "consilium_http_requests_total" in http.get("/metrics", headers=bed.headers(Role.ADMIN)).text


def test_what_is_waited_for_is_told(runtime: Runtime) -> None:
    app = create_service_app("things", runtime, [], description="x", readiness=lambda: ["a worker"])
    with TestClient(app) as http:
        answer = http.get("/readyz")
    assert (answer.status_code, answer.json()["waitingFor"]) == (503, ["a worker"])


def test_the_outbox_sends_in_order_and_forgets_nothing_while_the_log_is_down(bed: TestBed) -> None:
    sent: list[str] = []
    is_down = True

    def send(events: list[AuditEvent]) -> None:
        if is_down:
            raise ConnectionError
        sent.extend(e.subtype for e in events)

    base = build_runtime("things", bed.common, bed.sqlite("things"), OutboxRow)
    Base.metadata.create_all(base.sessions.kw["bind"])
    relay = outbox.OutboxRelay(base.sessions, OutboxRow, send)  # type: ignore[arg-type]  # a list is a sequence
    wanted = [f"e{n}" for n in range(300)]
    with base.sessions.begin() as session:
        for name in wanted:
            outbox.add(session, OutboxRow, base.events.event(None, "ingest", name, "C"))
    with pytest.raises(ConnectionError):
        relay.drain()
    assert relay.lag()[0] == 300
    is_down = False
    assert (relay.drain(), relay.drain(), relay.drain()) == (256, 44, 0)
    assert sent == wanted


def test_the_event_holds_a_pseudonym_and_no_identifier(bed: TestBed) -> None:
    runtime = build_runtime("things", bed.common, bed.sqlite("things"), OutboxRow)
    event = runtime.events.event(
        None, "ingest", "x", "C", patient="MRN-4711", kind="note", object_id="n", digest="sha256:00"
    )
    text = event.model_dump_json()
    assert "MRN-4711" not in text
    assert "sha256:00" not in text
    assert (event.subject_ref or "").startswith("pat-")


@pytest.mark.postgres
def test_a_stopped_service_leaves_no_connection_behind(bed: TestBed, postgres_url: str) -> None:
    """Also where a thread of its own asks the database up to the very end."""
    runtime = build_runtime("things", bed.common, postgres_url, None)

    @contextmanager
    def asking() -> Iterator[None]:
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                with reading(runtime.sessions) as session:
                    session.execute(sa.text("SELECT 1"))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    app = create_service_app("things", runtime, [], description="x", lifespan=asking)
    with TestClient(app) as http:
        assert http.get("/healthz").status_code == 200
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    engine = create_engine(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # A server process ends a moment after its connection.
        until(lambda: connection.scalar(sa.text(others)) == 0, 10, "the last connection's end")
    engine.dispose()
