"""Secrets in files: read only where nobody else could have read or changed them, and `<SETTING>_FILE` for any setting.

An environment shows up in crash reports, `docker inspect` and child processes; a file is read by whom its mode admits.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

MOUNTED = Path("/run/secrets")
"""Where containers get secrets, readable by all: there is nobody else in a container."""
OTHERS = stat.S_IRWXO | stat.S_IWGRP


def check_secret(path: Path) -> None:
    """Raises: ValueError: people other than the owner (to read: than owner and group) could read or change the file."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & OTHERS and MOUNTED not in path.parents:
        raise ValueError(f"{path} may be read or changed by others (mode {mode:o}): chmod 600 {path}")


def read_secret(path: Path) -> str:
    """The secret in a file, without white space around it.

    Raises: ValueError: others could read or change it. OSError: there is no such file.
    """
    check_secret(path)
    return path.read_text().strip()


def from_environment(name: str) -> str | None:
    """A variable's value, or the content of the file that `<name>_FILE` names; None where neither is set.

    Raises: ValueError: both are set, or others could read the file.
    """
    value, file = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value and file:
        raise ValueError(f"set {name} or {name}_FILE, not both")
    return read_secret(Path(file)) if file else value


class SecretFiles(PydanticBaseSettingsSource):
    """Settings from files: `CONSILIUM_AUDIT_DATABASE_URL_FILE` names one with the value of `database_url`."""

    def __init__(self, settings: type[BaseSettings]) -> None:
        super().__init__(settings)
        self._prefix = str(settings.model_config.get("env_prefix", ""))

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The content of the field's file, if it is a text and a file is named."""
        name = f"{self._prefix}{field_name}".upper()
        named = field.annotation in (str, str | None) and os.environ.get(f"{name}_FILE")
        return (from_environment(name) if named else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All fields that files give."""
        found = ((name, self.get_field_value(field, name)[0]) for name, field in self.settings_cls.model_fields.items())
        return {name: value for name, value in found if value is not None}


class FiledSettings(BaseSettings):
    """Settings whose texts may stand in files."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in first, then files, then the environment."""
        return named["init_settings"], SecretFiles(settings_cls), named["env_settings"]
