from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.diagnosis.bundle.cli import bundle as commands
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.manifest import verify_manifest, write_manifest


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(commands, [str(word) for word in words])


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_verify_says_what_it_checked_of_the_shipped_bundle() -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines()[:4]] == ["files:", "digest:", "signature:", "trust:"]


def test_each_fault_has_its_exit_status(bundle: Path, tmp_path: Path) -> None:
    assert run("verify", tmp_path / "nowhere").exit_code == 3
    stranger = run("keygen", tmp_path / "stranger.pem")
    assert stranger.exit_code == 0
    assert run("verify", bundle, "--key", tmp_path / "stranger.pub.pem").exit_code == 8
    assert run("verify", bundle, "--key", tmp_path / "missing.pem").exit_code == 9
    (bundle / "model.sig").write_text("{}")
    assert run("verify", bundle).exit_code == 7
    (bundle / "model.sig").unlink()
    assert run("verify", bundle).exit_code == 6
    (bundle / "docs" / "README.md").write_text("# Better\n")
    assert run("verify", bundle).exit_code == 5
    (bundle / "run.py").write_text("print()")
    write_manifest(bundle, name="x", version="1")
    assert run("verify", bundle).exit_code == 4


def test_verify_answers_programs(bundle: Path) -> None:
    digest = verify_manifest(DEMO_BUNDLE).digest
    good = json.loads(run("verify", "--json").stdout)
    assert (good["ok"], good["digest"], good["signer"]["name"]) == (True, digest, "consilium-demo")
    (bundle / "model.sig").unlink()
    bad = json.loads(run("verify", bundle, "--json").stdout)
    assert (bad["ok"], bad["status"], bad["problem"], bad["digest"]) == (False, 6, "bundle-unsigned", digest)


def test_a_key_is_made_signs_and_is_trusted_when_told_so(bundle: Path, tmp_path: Path) -> None:
    assert run("keygen", tmp_path / "mine.pem").exit_code == 0
    assert run("sign", bundle, "--key", tmp_path / "mine.pem").exit_code == 0
    assert run("verify", bundle).exit_code == 8
    assert run("verify", bundle, "--key", tmp_path / "mine.pub.pem").exit_code == 0
    assert run("keygen", tmp_path / "other.pem", "--trust").exit_code == 0
    assert run("sign", bundle, "--key", tmp_path / "other.pem").exit_code == 0
    assert run("verify", bundle).exit_code == 0


def test_sign_takes_the_users_own_key_without_ceremony(bundle: Path) -> None:
    assert run("sign", bundle).exit_code == 0
    assert "with the key local" in run("verify", bundle).stdout


def test_a_tampered_bundle_is_not_signed(bundle: Path) -> None:
    (bundle / "docs" / "README.md").write_text("# Better\n")
    assert run("sign", bundle).exit_code == 5


def test_inspect_tells_of_an_unsigned_bundle_what_it_is_and_that_it_is_not_to_be_believed(bundle: Path) -> None:
    (bundle / "model.sig").unlink()
    result = run("inspect", bundle)
    assert result.exit_code == 0
    assert "NOT TO BE BELIEVED" in result.stdout


def test_inspect_prints_the_card_and_its_data(bundle: Path) -> None:
    assert run("inspect", bundle, "--card").stdout.startswith("# consilium-demo")
    assert json.loads(run("inspect", bundle, "--json").stdout)["card"]["name"] == "consilium-demo"
