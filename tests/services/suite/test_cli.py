"""The command line says what to do when something is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from services.cli import _register, app
from services.suite.doctor import examine
from services.suite.environment import DataDirectory
from services.suite.servers import free_port
from shared.auth import Role, verifier_from
from shared.settings import CommonSettings
from tests.support.common import PROJECT_ROOT


def test_a_token_of_the_suite_s_issuer_is_believed_by_its_services(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.prepare()
    answer = CliRunner().invoke(app, ["token", "--role", "auditor", "--data-dir", str(tmp_path)])
    verifier = verifier_from(CommonSettings(auth_jwks_file=data.issuer.jwks_file))
    assert verifier.verify(answer.stdout.strip()).role is Role.AUDITOR


def test_without_a_suite_there_is_no_token_but_advice(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["token", "--role", "auditor", "--data-dir", str(tmp_path / "none")])
    assert answer.exit_code == 1
    assert "consilium up" in answer.output
    assert not (tmp_path / "none").exists()


def test_the_demo_says_in_words_that_no_suite_answers(tmp_path: Path) -> None:
    DataDirectory(tmp_path).prepare()
    address = f"http://127.0.0.1:{free_port()}"
    answer = CliRunner().invoke(app, ["demo", "--into", address, "--data-dir", str(tmp_path), "--patients", "1"])
    assert answer.exit_code == 1
    assert f"was not loaded into {address}" in answer.output


def test_an_unknown_role_is_told_the_known_ones() -> None:
    answer = CliRunner().invoke(app, ["token", "--role", "boss"])
    assert answer.exit_code == 2
    assert "clinician" in answer.output


def test_the_doctor_finds_a_taken_port_and_leaves_nothing(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        findings = examine(tmp_path / "data", taken.getsockname()[1], free_port(), free_port())
    assert any("in use" in f.what and "--port" in f.advice for f in findings)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("flag", ["--port", "--dimse-port", "--mllp-port", "--vitals-mllp-port"])
def test_a_taken_port_is_an_error_that_names_its_flag(tmp_path: Path, flag: str) -> None:
    import socket

    ports = {name: free_port() for name in ("--port", "--dimse-port", "--mllp-port")}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports[flag] = taken.getsockname()[1]
        chosen = [part for name, port in ports.items() for part in (name, str(port))]
        answer = CliRunner().invoke(app, ["up", "--data-dir", str(tmp_path / "data"), "--no-demo", *chosen])
    assert answer.exit_code == 1
    assert f"choose another with {flag}," in answer.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["up", "token", "synth", "train", "demo", "doctor", "import", "openapi", "secrets"])
def test_every_command_explains_itself(command: str) -> None:
    from services.cli import _register

    if command in ("synth", "train", "import") and command not in {c.name for c in app.registered_commands}:
        _register()
    answer = CliRunner().invoke(app, [command, "--help"])
    assert answer.exit_code == 0
    assert "Usage" in answer.output


def _commands(group: TyperGroup, before: str) -> Iterator[str]:
    for name, command in group.commands.items():
        yield from _commands(command, f"{before} {name}") if isinstance(command, TyperGroup) else [f"{before} {name}"]


def test_every_command_stands_in_the_reference() -> None:
    _register()
    reference = (PROJECT_ROOT / "docs" / "reference" / "command-line.md").read_text()
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    missing = []
    for command in _commands(root, "consilium"):
        # A group's commands may stand in one line: `consilium models list|show|…`.
        group, _, last = command.rpartition(" ")
        lines = [line.replace("\\|", " ") for line in reference.splitlines() if line.startswith(f"| `{group} ")]
        if not any(f" {last} " in f"{line} ".replace("`", " ") for line in lines):
            missing.append(command)
    assert missing == []
