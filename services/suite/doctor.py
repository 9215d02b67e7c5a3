"""Looks at a machine before (or after) a suite is started, and says what is wrong in words with a remedy."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.suite.servers import MissingServer, find_valkey, port_is_free

NEEDED_FREE_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    level: Literal["ok", "warn", "bad"]
    what: str
    advice: str = ""


def examine(data_dir: Path, port: int, dimse_port: int, mllp_port: int) -> list[Finding]:
    """Everything a suite needs from this machine."""
    findings = [_python(), *_packages(), _valkey(), _disk(data_dir), _memory(), _ui()]
    for number, flag in ((port, "--port"), (dimse_port, "--dimse-port"), (mllp_port, "--mllp-port")):
        free = port_is_free(number)
        advice = "" if free else f"a suite runs already, or choose another with {flag}"
        findings.append(Finding("ok" if free else "warn", f"port {number} is {'free' if free else 'in use'}", advice))
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding("ok" if good else "bad", f"Python {version}", "" if good else "install Python 3.11 or newer")


def _packages() -> list[Finding]:
    needed = {
        "torch": "diagnosis",
        "monai": "diagnosis",
        "transformers": "diagnosis",
        "pydicom": "imaging",
        "celery": "diagnosis",
    }
    missing = {name: extra for name, extra in needed.items() if importlib.util.find_spec(name) is None}
    if not missing:
        return [Finding("ok", "all Python packages are installed")]
    return [
        Finding("bad", f"{name} is not installed", f"pip install -e '.[{extra}]'") for name, extra in missing.items()
    ]


def _valkey() -> Finding:
    try:
        return Finding("ok", f"broker: {Path(find_valkey()).name}")
    except MissingServer as error:
        return Finding("bad", "no broker", str(error))


def _disk(data_dir: Path) -> Finding:
    there = next(p for p in (data_dir, *data_dir.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        return Finding("bad", f"{there} is not writable", "choose another --data-dir")
    if free < NEEDED_FREE_BYTES:
        return Finding(
            "bad", f"{free / 2**30:.1f} GiB free on {there}", "free at least 2 GiB, or choose another --data-dir"
        )
    return Finding("ok", f"{free / 2**30:.0f} GiB free on {there}")


def _memory() -> Finding:
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    good = available > 3 * 2**30
    return Finding(
        "ok" if good else "warn",
        f"{available / 2**30:.1f} GiB of memory free",
        "" if good else "a suite wants about 3 GiB",
    )


def _ui() -> Finding:
    built = (Path(__file__).resolve().parents[1] / "review" / "ui" / "dist" / "index.html").exists()
    return Finding(
        "ok" if built else "warn", "web UI is built" if built else "web UI is not built", "" if built else "make ui"
    )
