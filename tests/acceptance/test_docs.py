"""The docs are true: the tutorial's commands run as written, links lead somewhere, commands named exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.common import PROJECT_ROOT
from tests.support.suite import RunningSuite

pytestmark = pytest.mark.e2e

TUTORIAL = PROJECT_ROOT / "docs" / "tutorials" / "first-diagnosis.md"


def _commands(page: Path) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_tutorial_s_commands_run_as_written(embedded_suite: RunningSuite, tmp_path: Path) -> None:
    first, activate, *rest = _commands(TUTORIAL)
    assert first.strip() == "make run"
    assert activate.startswith("source .venv/bin/activate\n")
    # The suite is running already, and this interpreter's environment is the activated one.
    script = "\n".join(["set -euo pipefail", activate.split("\n", 1)[1], *rest])
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SUITE": embedded_suite.address,
        "CONSILIUM_DATA_DIR": str(embedded_suite.data.root),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("no-consent")
    assert "log-odds" in done.stdout
