"""`make fuzz-api`: every operation of the OpenAPI document against a running suite, with data that fits it and data
that does not.

    python -m tests.fuzz.api --examples 50 --seed 1

Schemathesis makes the requests and judges the answers: no 5xx, no status and no content type that is not documented,
every body as its schema says, no token no answer, 405 with `Allow` for methods that are not there. Exits with 1 where
anything is at fault. Each operation is asked with a token of the first role that the document admits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from rich.console import Console
from rich.table import Table
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.schemas import BaseSchema

from services.diagnosis.ward.generate import generate_patient
from shared.auth import Role
from tests.support.cases import Case, admit, rename
from tests.support.suite import RunningSuite, running_suite

LEFT_OUT = {
    "positive_data_acceptance": "what the schema lets through may still be refused: a patient who is not known, a time "
    "in the future, a code that is none; JSON Schema cannot say it",
    "negative_data_rejection": "the bulk doors judge line by line and answer 200 with what was rejected; unknown query "
    "parameters are passed over, as HTTP does",
    "use_after_free": "no operation deletes",
    "ensure_resource_availability": "stateful: what is created is read back by `make fuzz`",
    "object_level_authorization": "needs two owners; here a role sees all patients of its tenant",
}
"""Checks that are not made, and why."""


@schemathesis.serializer('multipart/related; type="application/dicom"', "application/dicom")
def _as_it_is(_: Any, value: Any) -> bytes:
    """Images are no JSON: what was generated goes as it is. Good ones, broken, are sent by `make fuzz`."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@dataclass
class Outcome:
    """What came of a run."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    faults: dict[str, str] = field(default_factory=dict)
    """Operation and what is wrong -> the request that shows it."""

    def add(self, other: Outcome) -> None:
        """Join the outcome of another run."""
        self.requests += other.requests
        self.statuses += other.statuses
        self.operations |= other.operations
        self.faults |= other.faults


def main() -> None:
    """Run it, print what was answered, and say what was at fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--examples", type=int, default=50, help="generated requests of each operation, beside the edges"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="operations whose path holds this")
    arguments = parser.parse_args()
    asked = {"examples": arguments.examples, "seed": arguments.seed, "only": arguments.only}
    with tempfile.TemporaryDirectory() as name, running_suite(Path(name) / "data") as suite:
        outcome = fuzz_api(suite, **asked)
        outcome.add(fuzz_api(suite, **asked, known=what_is_there(suite)))
    console = Console(soft_wrap=True)
    table = Table("status", "answers", title=f"{outcome.requests} requests to {len(outcome.operations)} operations")
    for status, count in sorted(outcome.statuses.items()):
        table.add_row(str(status), str(count))
    console.print(table)
    for fault, request in sorted(outcome.faults.items()):
        console.print(f"{fault}\n    {request}", markup=False, highlight=False)
    console.print(f"{len(outcome.faults)} at fault.")
    sys.exit(1 if outcome.faults else 0)


def fuzz_api(
    suite: RunningSuite, *, examples: int, seed: int, known: Mapping[str, str] | None = None, only: str | None = None
) -> Outcome:
    """Ask every operation in these many ways; the same seed asks alike.

    Args:
        known: values of path parameters by name; the others are made up, and seldom name anything.
        only: a regular expression for paths.
    """
    config = _config(examples, seed, known or {})
    schema: BaseSchema = schemathesis.openapi.from_url(f"{suite.address}/openapi.json", config=config)
    if only is not None:
        schema = schema.include(path_regex=only)
    tokens = {role.value: suite.data.issuer.mint(role) for role in Role}

    @schema.auth(refresh_interval=None)
    class _RoleTokens:
        """The token of a role that may call the operation."""

        def get(self, case: Any, _: Any) -> str | None:
            admitted = [role for one in case.operation.definition.raw.get("security", []) for role in one["bearer"]]
            return tokens[admitted[0]] if admitted else None

        def set(self, case: Any, data: str | None, _: Any) -> None:
            if data is not None:
                case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}

    outcome = Outcome()
    for event in from_schema(schema).execute():
        if isinstance(event, ScenarioFinished):
            _count(outcome, event)
        elif isinstance(event, NonFatalError):
            outcome.faults[f"{event.label}: {event.info.title}"] = " ".join(str(event.info).split())[:300]
        elif isinstance(event, FatalError):
            raise event.exception
    return outcome


def what_is_there(suite: RunningSuite) -> dict[str, str]:
    """Path parameters that name something: a patient is admitted, and diagnosed."""
    case = Case.of(rename(generate_patient(99, 0), "FUZZ-API-1"))
    admit(suite, case)
    note = suite.ehr.post("/notes/search", json={"patient": case.patient}).json()["items"][0]
    diagnosis = suite.diagnose(case.patient)
    consent = suite.ehr.get("/consents", params={"patient": case.patient}).json()["items"][0]
    return {
        "study": str(case.dataset.StudyInstanceUID),
        "series": str(case.dataset.SeriesInstanceUID),
        "instance": str(case.dataset.SOPInstanceUID),
        "sop_instance_uid": str(case.dataset.SOPInstanceUID),
        "frames": "1",
        "note_id": note["id"],
        "diagnosis_id": diagnosis["id"],
        "resource_id": diagnosis["id"],
        "consent_id": consent["id"],
        "model_id": _model_beside(suite),
        "index": str(diagnosis["audit"]["index"]),
        "service_id": "consilium-acute-chest",
    }


def _model_beside(suite: RunningSuite) -> str:
    """A bundle beside the active one: a request that retires the only bundle that answers leaves nothing to ask."""
    served = suite.clinician.get("/models").json()["items"][0]
    card = suite.clinician.get(f"/models/{served['id']}/card", headers={"Accept": "application/json"}).json()
    another = {"name": served["name"], "version": "fuzzed", "digest": f"sha256:{'f' * 64}", "card": card}
    registered = suite.client(Role.ADMIN).post("/models", json=another)
    registered.raise_for_status()
    return str(registered.json()["id"])


def _config(examples: int, seed: int, known: Mapping[str, str]) -> SchemathesisConfig:
    checks = {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx"]}}
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            # Nothing of a run before decides what is asked.
            "cache": {"enabled": False},
            "continue-on-failure": True,
            "request-timeout": 20,
            # A stream of events goes on as long as somebody listens.
            "max-stream-events": 1,
            "suppress-health-check": ["all"],
            "generation": {"mode": "all", "max-examples": examples, "no-shrink": True},
            "parameters": {f"path.{name}": value for name, value in known.items()},
            "phases": {
                "stateful": {"enabled": False},
                # Ids of answers, the active bundle's among them, are for `what_is_there` to hand out.
                "fuzzing": {"extra-data-sources": {"responses": False}},
                "coverage": {"extra-data-sources": {"responses": False}},
            },
            "checks": {**checks, **{name: {"enabled": False} for name in LEFT_OUT}},
        }
    )


def _count(outcome: Outcome, event: ScenarioFinished) -> None:
    recorder = event.recorder
    outcome.operations.add(recorder.label)
    outcome.requests += len(recorder.interactions)
    outcome.statuses.update(one.response.status_code for one in recorder.interactions.values() if one.response)
    for case_id, checks in recorder.checks.items():
        for failure in (check.failure_info.failure for check in checks if check.failure_info is not None):
            told = " ".join(f"{failure.title}: {failure.message}".split())[:200]
            request = recorder.interactions[case_id].request
            shown = f"{request.method} {request.uri} {(request.body or b'')[:200]!r}"
            outcome.faults.setdefault(f"{recorder.label}: {told}", shown)


if __name__ == "__main__":
    main()
