"""`consilium export-research`: studies without their patients, from a running suite into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export_research(
    studies: Annotated[list[str], typer.Argument(help="StudyInstanceUIDs, or `-` to read them from standard input.")],
    into: Annotated[Path, typer.Option(file_okay=False, help="Folder that gets one folder per study.")],
    url: Annotated[str, typer.Option(envvar="CONSILIUM_URL", help="Address of the suite.")] = "http://127.0.0.1:8080",
    token: Annotated[str, typer.Option(envvar="CONSILIUM_TOKEN", help="Bearer token of a researcher.")] = "",
) -> None:
    """Export studies for research: de-identified, with consent alone.

    What waits for somebody to look at it, and studies without consent, are counted and left out; the same command
    fetches them later. Exit status 1 where anything was left out.
    """
    import sys

    import httpx

    from services.imaging.research_download import NotExported, download

    wanted = sys.stdin.read().split() if studies == ["-"] else studies
    left_out = 0
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=600, trust_env=False) as http:
        for number, study in enumerate(wanted, 1):
            try:
                exported, withheld = download(http, study, into)
                left_out += withheld
                typer.echo(f"{number}/{len(wanted)}: {exported} instances, {withheld} left out")
            except NotExported as error:
                left_out += 1
                typer.echo(f"{number}/{len(wanted)}: nothing exported: {error}", err=True)
            except httpx.HTTPError as error:
                typer.echo(f"The suite at {url} does not answer: {type(error).__name__}.", err=True)
                raise typer.Exit(1) from error
    raise typer.Exit(1 if left_out else 0)
