"""Which service a path belongs to, and how several contracts become one."""

from __future__ import annotations

import pytest

from services.suite.openapi import merge
from services.suite.services import owner_of


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/dicomweb/studies", "imaging"),
        ("/research/exports", "imaging"),
        ("/notes", "notes"),
        ("/notes/abc", "notes"),
        ("/notesx", "review"),
        ("/vitals/samples", "vitals"),
        ("/diagnoses/1/events", "diagnosis"),
        ("/search", "diagnosis"),
        ("/internal/diagnosis/results", "diagnosis"),
        ("/consents", "audit"),
        ("/models/1/card", "audit"),
        ("/audit/tile/0/000", "audit"),
        ("/fhir/metadata", "ehr"),
        ("/cds-services", "ehr"),
        ("/", "review"),
        ("/assets/app.js", "review"),
    ],
)
def test_a_path_has_one_owner(path: str, owner: str) -> None:
    assert owner_of(path).name == owner


def test_internal_paths_are_no_contract() -> None:
    merged = merge({"a": {"paths": {"/x": {}, "/internal/a/y": {}, "/healthz": {}}}, "b": {"paths": {"/healthz": {}}}})
    assert sorted(merged["paths"]) == ["/healthz", "/x"]


def test_two_services_may_not_claim_one_path() -> None:
    with pytest.raises(ValueError, match="/x"):
        merge({"a": {"paths": {"/x": {}}}, "b": {"paths": {"/x": {}}}})


def test_one_schema_name_may_not_mean_two_things() -> None:
    one, other = ({"components": {"schemas": {"S": {"type": t}}}} for t in ("string", "object"))
    with pytest.raises(ValueError, match="schema S"):
        merge({"a": one, "b": other})
