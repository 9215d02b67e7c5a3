"""Runs the checker where nothing but the standard library and `cryptography` can be imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from services.audit import verify

ALONE = """
import importlib.abc, sys
ALLOWED = sys.stdlib_module_names | {"verify", "cryptography", "_cffi_backend"}
class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Nothing())
sys.path.insert(0, sys.argv.pop(1))
from verify import main
sys.exit(main(sys.argv[1:]))
"""


def run_alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The package copied nowhere near the project, in an interpreter that can import nothing else."""
    with tempfile.TemporaryDirectory() as directory:
        package = Path(str(verify.__file__)).parent
        shutil.copytree(package, Path(directory) / "verify", ignore=shutil.ignore_patterns("__pycache__"))
        command = [sys.executable, "-I", "-c", ALONE, directory, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
