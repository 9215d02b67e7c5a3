"""`consilium bundle`: look into a bundle and check it. Signing comes with governance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.location import DEMO_BUNDLE

bundle = typer.Typer(help="Inspect and verify model bundles.", no_args_is_help=True)
Directory = Annotated[Path, typer.Argument(help="The bundle's directory; default: the demo bundle.")]


@bundle.command()
def inspect(directory: Directory = DEMO_BUNDLE) -> None:
    """Show the model card and what the bundle consists of."""
    identity = _verified(directory)
    files = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))["files"]
    typer.echo((directory / "model-card.md").read_text(encoding="utf-8"))
    typer.echo(f"{identity.name} {identity.version} {identity.digest}")
    for name, entry in files.items():
        typer.echo(f"{entry['size']:>10}  {name}")
    typer.echo(f"{sum(entry['size'] for entry in files.values()):>10}  bytes in all")


@bundle.command()
def verify(directory: Directory = DEMO_BUNDLE) -> None:
    """Check every file against the manifest; exit code 1 when anything differs."""
    identity = _verified(directory)
    typer.echo(f"ok: {identity.name} {identity.version} {identity.digest}")


def _verified(directory: Path) -> BundleIdentity:
    from services.diagnosis.bundle.errors import BundleError
    from services.diagnosis.bundle.manifest import verify_manifest

    try:
        return verify_manifest(directory)
    except BundleError as error:
        typer.echo(f"{error.title}: {error.detail}", err=True)
        raise typer.Exit(1) from error
