"""`consilium models …` against a running registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.audit.app import create_app
from services.diagnosis.bundle.evidence import Announcement
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.errors import NotRegistered
from services.diagnosis.registry import RegistryClient
from services.diagnosis.registry_cli import app
from shared.auth import Role
from tests.services.audit.support import FULL_CARD, evaluation_of, settings_of
from tests.support.common import TestBed, make_test_bed
from tests.support.servers import serve

DIGEST = "sha256:" + "ab" * 32


@dataclass(frozen=True)
class Desk:
    """A person at a terminal, and a registry that knows one bundle."""

    bed: TestBed
    url: str

    def type(self, *words: str, role: Role = Role.ADMIN, subject: str = "anna") -> Result:
        token = self.bed.issuer.mint(role, subject=subject)
        return CliRunner().invoke(app, list(words), env={"CONSILIUM_URL": self.url, "CONSILIUM_TOKEN": token})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    bed = make_test_bed(tmp_path)
    with serve(create_app(settings_of(bed), bed.common)) as url:
        registry = RegistryClient(bed.common.model_copy(update={"audit_url": url}))
        identity = BundleIdentity("acute-chest", "1.0", DIGEST)
        registry.announce(Announcement(identity, FULL_CARD, "sha256:" + "c" * 64, evaluation_of(DIGEST)))
        registry.close()
        yield Desk(bed, url)


def test_the_list_and_the_gates_are_shown(desk: Desk) -> None:
    assert "candidate    acute-chest 1.0" in desk.type("list").output
    shown = desk.type("show", "1.0").output
    assert "passed subgroups" in shown
    assert "OPEN   approvals: 0 of 2 people have approved it" in shown


def test_a_refused_promotion_says_what_to_do(desk: Desk) -> None:
    refused = desk.type("promote", "1.0", "active")
    assert refused.exit_code == 1
    assert "approvals: 0 of 2" in refused.output
    assert "POST /models/{id}/approvals" in refused.output


def test_two_people_approve_and_one_promotes(desk: Desk) -> None:
    assert "1 of 2" in desk.type("approve", "1.0", "--name", "Anna Meier").output
    second = desk.type("approve", "sha256:abab", "--name", "Dr Bert", role=Role.CLINICIAN, subject="bert")
    assert "2 people" in second.output
    promoted = desk.type("promote", "1.0", "active", "--reason", "First of its kind.")
    assert promoted.output.strip() == "acute-chest 1.0 is active"
    assert "First of its kind." in desk.type("show", "1.0").output
    assert desk.type("rollback").exit_code == 1


def test_another_bundle_of_a_version_that_is_taken_is_not_registered(desk: Desk) -> None:
    registry = RegistryClient(desk.bed.common.model_copy(update={"audit_url": desk.url}))
    identity = BundleIdentity("acute-chest", "1.0", "sha256:" + "9" * 64)
    with pytest.raises(NotRegistered, match="a version is registered once"):
        registry.announce(Announcement(identity, {}, "sha256:" + "c" * 64, None))
    registry.close()


@pytest.mark.parametrize("name", ["2.0", "sh", ""])
def test_a_bundle_that_is_not_named_clearly_is_refused(desk: Desk, name: str) -> None:
    refused = desk.type("show", name)
    assert (refused.exit_code, "names 0 bundles" in refused.output) == (1, True)


def test_a_file_that_is_no_report_is_refused(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps({"schema": "other"}))
    refused = desk.type("evaluate", "1.0", str(file))
    assert (refused.exit_code, "not a report" in refused.output) == (1, True)


def test_a_suite_that_does_not_answer_is_named(desk: Desk) -> None:
    refused = desk.type("list", "--url", "http://127.0.0.1:9")
    assert (refused.exit_code, "does not answer" in refused.output) == (1, True)
