"""The types that the UI is written against are those that the services answer with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from services.review.settings import UI
from tests.support.common import PROJECT_ROOT

SAY = "import json; from services.suite.contract import document; print(json.dumps(document()))"


@pytest.fixture(scope="module")
def suite() -> dict[str, Any]:
    """The public contract as this checkout makes it; in a process of its own, for that sets the environment."""
    said = subprocess.run([sys.executable, "-c", SAY], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def schemas_of_the_ui() -> list[str]:
    """Names that `contract.ts` takes from the generated types."""
    return re.findall(r"Schemas\['(\w+)'\]", (UI / "src" / "lib" / "contract.ts").read_text())


def reachable(document: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Those schemas and all that they refer to."""
    schemas = document["components"]["schemas"]
    found: dict[str, Any] = {}
    while names:
        name = names.pop()
        if name not in found:
            found[name] = schemas[name]
            names.extend(references(schemas[name]))
    return found


def references(schema: Any) -> Iterator[str]:
    """Names of the schemas that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(target := schema.get("$ref"), str):
            yield target.rsplit("/", 1)[-1]
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from references(item)


def test_types_of_the_ui_are_those_of_the_services(suite: dict[str, Any]) -> None:
    """If this fails: `consilium openapi > services/review/ui/openapi.json`, then mend what `make ui` complains of."""
    committed = json.loads((UI / "openapi.json").read_text())
    assert reachable(committed, schemas_of_the_ui()) == reachable(suite, schemas_of_the_ui())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/diagnoses"),
        ("post", "/diagnoses"),
        ("get", "/diagnoses/{diagnosis_id}"),
        ("get", "/diagnoses/{diagnosis_id}/events"),
        ("post", "/diagnoses/{diagnosis_id}/feedback"),
        ("get", "/dicomweb/instances"),
        ("get", "/dicomweb/studies/{study}/series/{series}/instances/{instance}/rendered"),
        ("get", "/notes/{note_id}"),
        ("post", "/vitals/search"),
        ("get", "/audit/entries/{index}/receipt"),
    ],
)
def test_route_that_the_page_asks_is_in_the_contract(suite: dict[str, Any], method: str, path: str) -> None:
    assert method in suite["paths"].get(path, {})
