"""Secrets are read from files that nobody else could have read or changed, whatever setting they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.audit.keys import open_signer
from services.imaging.settings import Settings as ImagingSettings
from services.suite.services import service_named
from shared import secret_files
from shared.auth import read_service_token, write_secret
from shared.pseudonyms import Pseudonymiser
from shared.secret_files import from_environment, read_secret
from shared.settings import CommonSettings
from tests.support.common import TestBed


def _with_mode(path: Path, mode: int, content: str = "s3cret\n") -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_what_only_the_owner_and_the_group_read_is_read(tmp_path: Path, mode: int) -> None:
    assert read_secret(_with_mode(tmp_path / "s", mode)) == "s3cret"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602, 0o777])
def test_what_others_may_read_or_the_group_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ValueError, match="chmod 600") as refusal:
        read_secret(_with_mode(tmp_path / "s", mode))
    assert "s3cret" not in str(refusal.value)


def test_what_a_container_is_given_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_files, "MOUNTED", tmp_path)
    assert read_secret(_with_mode(tmp_path / "s", 0o444)) == "s3cret"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("CONSILIUM_BROKER_URL", lambda: CommonSettings().broker_url),
        ("CONSILIUM_IMAGING_DATABASE_URL", lambda: ImagingSettings().database_url),
        ("CONSILIUM_IMAGING_DATABASE_URL", lambda: from_environment("CONSILIUM_IMAGING_DATABASE_URL")),
        ("AWS_SECRET_ACCESS_KEY", lambda: from_environment("AWS_SECRET_ACCESS_KEY")),
    ],
)
def test_a_setting_may_stand_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, read: type[str]
) -> None:
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(_with_mode(tmp_path / "s", 0o600, "redis://:pw@h/0\n")))
    assert read() == "redis://:pw@h/0"
    monkeypatch.setenv(name, "another")
    with pytest.raises(ValueError, match="not both"):
        read()


def test_a_service_without_a_database_says_which_setting_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSILIUM_NOTES_DATABASE_URL", raising=False)
    with pytest.raises(ValueError, match="CONSILIUM_NOTES_DATABASE_URL"):
        service_named("notes").create_app()


def test_no_service_starts_with_a_key_that_others_may_read(bed: TestBed) -> None:
    assert bed.common.pseudonym_key_file is not None
    assert bed.common.service_token_file is not None
    for file in (bed.common.pseudonym_key_file, bed.common.service_token_file):
        file.chmod(0o644)
    with pytest.raises(ValueError, match=r"pseudonym\.key"):
        Pseudonymiser.from_file(bed.common.pseudonym_key_file)
    with pytest.raises(ValueError, match=r"service\.token"):
        read_service_token(bed.common)


def test_the_log_does_not_sign_with_a_key_that_others_may_read(tmp_path: Path) -> None:
    write_secret(tmp_path / "log.key", "11" * 32)
    open_signer("consilium.example/log", tmp_path / "log.key", tmp_path / "log.vkey")
    (tmp_path / "log.key").chmod(0o644)
    with pytest.raises(ValueError, match=r"log\.key"):
        open_signer("consilium.example/log", tmp_path / "log.key", tmp_path / "log.vkey")
