"""A second bundle rolled out and back in a running suite, by the very commands of the how-to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.diagnosis.bundle.keys import make_key_pair, read_private_key
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.manifest import write_manifest
from services.diagnosis.bundle.verification import sign_bundle
from services.diagnosis.ward.patient import WardPatient
from shared.auth import Role
from tests.support.cases import Case, admit
from tests.support.common import PROJECT_ROOT
from tests.support.suite import RunningSuite, running_suite, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # every command is a process of its own

PAGE = PROJECT_ROOT / "docs" / "how-to" / "roll-out-a-model.md"
VERSION = "0.5.0-again"


@dataclass(frozen=True)
class House:
    """A suite with room for another bundle, and that bundle."""

    suite: RunningSuite
    bundle: Path
    bundles: Path
    environment: dict[str, str]

    def run(self, script: str, directory: Path) -> str:
        """What a person types; gives what it prints."""
        environment = {
            **os.environ,
            **self.environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CONSILIUM_URL": self.suite.address,
            "CONSILIUM_DATA_DIR": str(self.suite.data.root),
            "CONSILIUM_TOKEN": self.suite.data.issuer.mint(Role.ADMIN, subject="head-of-it"),
            "BUNDLE": str(self.bundle),
            "VERSION": VERSION,
            "PATIENTS": "100",
        }
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{script}"], cwd=directory, env=environment, capture_output=True,
            text=True, timeout=400, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The shipped bundle under another version, signed with a key of the house's own."""
    directory = tmp_path_factory.mktemp("rollout")
    trusted, bundles, bundle = directory / "trusted", directory / "bundles", directory / "my-bundle"
    trusted.mkdir()
    bundles.mkdir()
    make_key_pair(directory / "release.pem", trusted / "release.pem")
    shutil.copytree(DEMO_BUNDLE, bundle)
    write_manifest(bundle, name="consilium-demo", version=VERSION)
    sign_bundle(bundle, read_private_key(directory / "release.pem"))
    environment = {
        "CONSILIUM_DIAGNOSIS_BUNDLES_DIR": str(bundles),
        "CONSILIUM_DIAGNOSIS_TRUSTED_KEYS_DIR": str(trusted),
    }
    with running_suite(directory / "data", environment=environment) as suite:
        yield House(suite, bundle, bundles, environment)


def _version(house: House, patient: str) -> str:
    return str(house.suite.diagnose(patient)["model"]["version"])


def test_a_bundle_is_rolled_out_and_back_as_the_page_says(
    house: House, ward: Callable[[], WardPatient], tmp_path: Path
) -> None:
    case = Case.of(ward())
    admit(house.suite, case)
    shelf, evaluation, shadow, agreement, approvals, canary, active, back, asked = re.findall(
        r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert "OPEN   approvals" in house.run(shelf, tmp_path)
    assert "100 cases of ward" in house.run(evaluation, tmp_path)
    assert f"{VERSION} is shadow" in house.run(shadow, tmp_path)
    until(lambda: _agrees(house, case.patient, agreement, tmp_path), 90, "the shadow's first answers")
    assert "2 people have approved it" in house.run(approvals, tmp_path)
    assert "canary 10 %" in house.run(canary, tmp_path)
    house.run(active, tmp_path)
    assert _version(house, case.patient) == VERSION
    assert "0.5.0 is active" in house.run(back, tmp_path)
    assert _version(house, case.patient) == "0.5.0"
    subtypes = {item["leaf"]["event"]["subtype"] for item in json.loads(house.run(asked, tmp_path))["items"]}
    assert subtypes == {"diagnosis-released", "diagnosis-shadowed"}


def _agrees(house: House, patient: str, agreement: str, directory: Path) -> bool:
    """The same bundle under another name says the very same."""
    house.suite.diagnose(patient)
    said = house.run(agreement, directory)
    return "same first diagnosis 1.000" in said and "0.000 at most" in said


def test_the_first_start_says_that_nobody_approved_the_shipped_bundle(house: House) -> None:
    models = house.suite.auditor.get("/models").json()["items"]
    shipped = next(model for model in models if model["version"] == "0.5.0")
    changes = [change["change"] for change in shipped["history"]]
    assert changes[:2] == ["candidate", "activated-locally"]
    found = house.suite.auditor.get(f"/models/{shipped['id']}").json()
    assert {gate["gate"]: gate["passed"] for gate in found["gates"]} == {
        "signature": True, "source-attributes": True, "evaluation": True, "subgroups": True, "approvals": False,
    }  # fmt: skip
