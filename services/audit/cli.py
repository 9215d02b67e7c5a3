"""`consilium audit …`: what an auditor does at the command line."""

from __future__ import annotations

import typer

app = typer.Typer(name="audit", help="Check what the audit log says.", no_args_is_help=True)
COMMANDS = ("receipt", "export", "log", "diff")


@app.callback()
def _audit() -> None:
    """Check what the audit log says."""


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def verify(context: typer.Context) -> None:
    """Check a receipt, an export, the whole log, or two checkpoints: `verify receipt|export|log|diff --help`."""
    # Only this command needs `cryptography`: `consilium --help` stays quick.
    from services.audit.verify import main

    arguments = context.args
    if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        # As it was before there were several commands.
        arguments = ["receipt", *arguments]
    raise typer.Exit(main(arguments))
