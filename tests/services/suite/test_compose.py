"""The compose file describes the topology that the code knows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.suite.services import SERVICES
from shared.settings import CommonSettings
from tests.support.common import PROJECT_ROOT


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
    return loaded


def test_every_service_has_a_container_with_its_factory(compose: dict[str, Any]) -> None:
    for service in SERVICES:
        assert compose["services"][service.name]["environment"]["SERVICE"] == service.name


def test_every_service_with_tables_has_a_schema_of_its_own(compose: dict[str, Any]) -> None:
    for service in SERVICES:
        url = compose["services"][service.name]["environment"].get(f"CONSILIUM_{service.name.upper()}_DATABASE_URL")
        assert (url or "").endswith(f"search_path%3D{service.name}") == service.has_database


def test_every_common_setting_is_one_the_code_reads(compose: dict[str, Any]) -> None:
    known = {f"CONSILIUM_{name.upper()}" for name in CommonSettings.model_fields}
    named = {key for key in compose["x-common"] if key.startswith("CONSILIUM_")}
    assert named <= known


def test_every_image_installs_extras_that_exist(compose: dict[str, Any]) -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    for name, container in compose["services"].items():
        if "build" in container:
            extras = container["build"]["args"]["EXTRAS"].split(",")
            assert set(extras) <= set(project["optional-dependencies"]), name


def test_every_mounted_file_is_in_the_repository(compose: dict[str, Any]) -> None:
    for container in compose["services"].values():
        for volume in container.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith("./") or Path(PROJECT_ROOT / source).exists()


@pytest.mark.parametrize("service", ["imaging", "notes"])
def test_a_door_without_tokens_is_published_to_its_own_host_alone(compose: dict[str, Any], service: str) -> None:
    (published,) = compose["services"][service]["ports"]
    assert re.match(r"\$\{\w+_ADDRESS:-127\.0\.0\.1\}:", published)
