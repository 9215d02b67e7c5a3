"""What the OpenAPI document says of access and refusals is what the routes do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI
from fastapi.testclient import TestClient

from shared.auth import Role, require
from shared.contracts.base import Wire
from shared.errors import Conflict
from shared.openapi import refusals
from shared.web import build_runtime, create_service_app
from tests.support.common import TestBed


class Thing(Wire):
    """A body."""

    name: str


@pytest.fixture
def app(bed: TestBed) -> Iterator[FastAPI]:
    """A service with a guarded door, one more than that, and a path that a pattern would match too."""
    router = APIRouter(dependencies=[Depends(require(Role.CLINICIAN, Role.ADMIN))])

    @router.get("/things/{thing_id}")
    def read(thing_id: str) -> Thing:
        return Thing(name=thing_id)

    @router.delete("/things/{thing_id}", dependencies=[Depends(require(Role.ADMIN))])
    def delete(thing_id: str) -> None:
        return None

    @router.post("/things/search", responses=refusals(Conflict))
    def search(body: Annotated[Thing, Body()]) -> Thing:
        return body

    runtime = build_runtime("things", bed.common, bed.sqlite("things"), None)
    yield create_service_app("things", runtime, [router], description="")
    runtime.sessions.kw["bind"].dispose()
    runtime.audit.close()


def operation(app: FastAPI, method: str, path: str) -> dict[str, Any]:
    """An operation of the document."""
    found: dict[str, Any] = app.openapi()["paths"][path][method]
    return found


def test_each_role_that_is_admitted_is_an_alternative(app: FastAPI) -> None:
    assert operation(app, "get", "/things/{thing_id}")["security"] == [{"bearer": ["admin"]}, {"bearer": ["clinician"]}]
    assert operation(app, "delete", "/things/{thing_id}")["security"] == [{"bearer": ["admin"]}]
    assert operation(app, "get", "/healthz")["security"] == []


def test_an_operation_says_how_its_form_may_be_refused(app: FastAPI) -> None:
    assert sorted(operation(app, "get", "/things/{thing_id}")["responses"]) == [
        "200", "400", "401", "403", "404", "422", "429", "503",
    ]  # fmt: skip
    assert {"409", "413"} <= set(operation(app, "post", "/things/search")["responses"])
    assert "401" not in operation(app, "get", "/healthz")["responses"]


def test_every_reference_leads_somewhere(app: FastAPI) -> None:
    document = app.openapi()
    for answers in (one["responses"] for item in document["paths"].values() for one in item.values()):
        for answer in (one for one in answers.values() if "$ref" in one):
            assert answer["$ref"].rsplit("/", 1)[1] in document["components"]["responses"]
    assert "HTTPValidationError" not in str(document)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/things/1", "DELETE, GET"),
        ("GET", "/things/search", "POST"),
        ("DELETE", "/things/search", "POST"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_a_method_that_is_not_declared_is_told_those_that_are(app: FastAPI, method: str, path: str, allow: str) -> None:
    answer = TestClient(app).request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.headers["content-type"] == "application/problem+json"
