"""Everything that is installed, or bundled into the page, comes under a licence on a list; copyleft only by name."""

from __future__ import annotations

import json
import re
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

import pytest

from tests.support.common import PROJECT_ROOT

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "HPND", "ISC", "MIT", "MIT-0",
    "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib", "BlueOak-1.0.0", "CC-BY-4.0", "OFL-1.1", "Artistic-2.0",
    # The Boost licence; the Business Source Licence, which some call BSL, is BUSL-1.1.
    "BSL-1.0",
    # File-level copyleft: used as it is.
    "MPL-2.0",
}  # fmt: skip
BY_NAME = {
    # LGPL, as unmodified dependencies that can be replaced.
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    # Says nothing in its metadata; its repository is Apache-2.0. Tests alone use it, by way of model-signing.
    "sigstore-models": "",
}
WORDS = {
    "Apache Software License": "Apache-2.0", "Apache 2.0 License": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause", "3-Clause BSD License": "BSD-3-Clause", "BSD": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC", "MIT License": "MIT", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0", "The Unlicense (Unlicense)": "Unlicense",
}  # fmt: skip
"""What older metadata says, as an SPDX identifier."""
NO_LICENCE = {"OSI Approved", "DFSG approved"}


def licence_of(distribution: Distribution) -> str:
    """An SPDX expression (PEP 639), or what older metadata says in its words."""
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [
        one.rpartition("::")[2].strip() for one in metadata.get_all("Classifier", []) if one.startswith("License ::")
    ]
    words = str((metadata.get_all("License") or [""])[0])
    said = [one for one in classifiers if one not in NO_LICENCE] or [words.partition("\n")[0].strip()]
    return " OR ".join(WORDS.get(one, one) for one in said)


def is_allowed(expression: str) -> bool:
    """Whether each part that holds at once, and one of each choice, is on the list."""
    parts = expression.strip("()").split(" AND ")
    return all(
        any(re.sub(r" WITH .*", "", choice).strip("() ") in ALLOWED for choice in part.split(" OR ")) for part in parts
    )


def _installed() -> Iterator[tuple[str, str]]:
    # Not all of `sys.path`: once setuptools is imported, that also has what it brings along for itself.
    for distribution in distributions(path=[sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]):
        name = str(distribution.metadata["Name"]).lower().replace("_", "-")
        if name != "consilium":
            yield name, licence_of(distribution)


def test_everything_installed_is_under_a_licence_on_the_list() -> None:
    installed = dict(_installed())
    assert len(installed) > 100
    others = {name: said for name, said in installed.items() if BY_NAME.get(name) != said and not is_allowed(said)}
    assert others == {}


def test_everything_in_the_page_is_too() -> None:
    lock = json.loads((PROJECT_ROOT / "services" / "review" / "ui" / "package-lock.json").read_text())
    said = {name: str(one.get("license", "")) for name, one in lock["packages"].items() if name}
    assert len(said) > 50
    assert {name: licence for name, licence in said.items() if not is_allowed(licence)} == {}


@pytest.mark.parametrize(
    "expression",
    ["GPL-3.0-only", "AGPL-3.0-or-later", "BUSL-1.1", "LGPL-3.0-only", "MIT AND GPL-2.0-only", "", "UNKNOWN"],
)
def test_other_licences_are_not(expression: str) -> None:
    assert not is_allowed(expression)


@pytest.mark.parametrize(
    "expression", ["MIT OR GPL-2.0-only", "Apache-2.0 WITH LLVM-exception AND BSL-1.0", "(MIT OR X)"]
)
def test_a_choice_and_an_exception_are(expression: str) -> None:
    assert is_allowed(expression)


def test_every_requirement_is_pinned() -> None:
    import tomllib

    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[<>=\[; ]", one)[0].lower().replace("_", "-") for one in wanted} - {"consilium"}
    lines = (PROJECT_ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert sorted(names - pinned) == []
