"""`consilium audit …`: what an auditor does at the command line."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="audit", help="Check what the audit log says.", no_args_is_help=True)


@app.callback()
def _audit() -> None:
    """Check what the audit log says."""


@app.command()
def verify(
    receipt: Annotated[str, typer.Argument(help="The .tlog-proof file.")],
    key: Annotated[str, typer.Option(help="The log's public key line, or a file with it.")],
    entry: Annotated[str | None, typer.Option(help="The entry, if the receipt does not hold it.")] = None,
    origin: Annotated[str | None, typer.Option(help="The log's name, if it is not the key's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Check a receipt with nothing but the log's public key. Exits 0 when good, 1 when bad, 2 when it cannot check."""
    # Only this command needs `cryptography`: `consilium --help` stays quick.
    from services.audit.verify import run

    raise typer.Exit(run(receipt, key, entry, origin, json))
