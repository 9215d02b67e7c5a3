"""`consilium import`: a file of vital signs into a running suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REJECTS_SHOWN = 10


def import_file(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file as it was exported.")
    ],
    patient: Annotated[
        str | None, typer.Option(help="Whose it is; needed where the file's records do not say so.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="IANA time zone of local times (Fitbit), such as Europe/Berlin.")
    ] = None,
    url: Annotated[str, typer.Option(envvar="CONSILIUM_URL", help="Address of the suite.")] = "http://127.0.0.1:8080",
    token: Annotated[
        str | None, typer.Option(envvar="CONSILIUM_TOKEN", help="Bearer token of a clinician or the EHR.")
    ] = None,
) -> None:
    """Import an export of a wearable or of a record, and follow it until it is stored.

    Takes FHIR R4 Observations (JSON, Bundle, NDJSON), Open mHealth, Fitbit heart rate, Garmin FIT, Apple Health
    export.zip, Parquet, and the NDJSON of POST /vitals/samples. Interrupted, the import goes on; the same command
    finds it.
    """
    import httpx
    from rich.console import Console

    from services.vitals.imports.sending import Door, ImportFailed, ImportRefused

    console = Console(soft_wrap=True, highlight=False)
    try:
        with Door(url, token, console) as door:
            door.report(door.follow(door.send(file, patient, zone)), REJECTS_SHOWN)
    except ImportRefused as error:
        console.print(f"[red]Not imported:[/] {error}", markup=True)
        raise typer.Exit(1) from error
    except ImportFailed as error:
        raise typer.Exit(1) from error
    except httpx.HTTPError as error:
        console.print(
            f"[red]The suite at {url} does not answer:[/] {type(error).__name__}. Run the same command again."
        )
        raise typer.Exit(1) from error
