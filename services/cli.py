"""The command line: `consilium …`. Each command imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.suite.environment import DEFAULT_DATA_DIR

app = typer.Typer(
    name="consilium",
    help="Clinical decision support that says how sure it is and why. Decision support, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="CONSILIUM_DATA_DIR", help="Where the suite keeps everything it knows.")
]


@app.command()
def up(
    port: Annotated[int, typer.Option(help="HTTP port of the suite.")] = 8080,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    distributed: Annotated[
        bool,
        typer.Option("--distributed", help="One process per service on PostgreSQL and two workers, as in production."),
    ] = False,
    dimse_port: Annotated[int, typer.Option(help="DICOM port (AE title CONSILIUM).")] = 11112,
    mllp_port: Annotated[int, typer.Option(help="HL7 v2 port for notes (MLLP).")] = 2575,
    vitals_mllp_port: Annotated[
        int | None, typer.Option(help="HL7 v2 port for vital signs (MLLP), such as 2576 [default: none].")
    ] = None,
    demo: Annotated[
        bool | None,
        typer.Option("--demo/--no-demo", help="Load the demo population on the first start [default: ask]."),
    ] = None,
) -> None:
    """Start the whole suite here and keep it running until Ctrl-C."""
    from rich.console import Console

    from services.suite.environment import DirectoryInUse, Ports
    from services.suite.servers import MissingServer
    from services.suite.up import CannotStart, Options, run

    console = Console(soft_wrap=True)
    try:
        run(Options(data_dir, Ports(port, dimse_port, mllp_port, vitals_mllp_port), distributed, demo), console)
    except (CannotStart, DirectoryInUse, MissingServer) as error:
        console.print(f"[red]Consilium does not start:[/] {error}", highlight=False)
        raise typer.Exit(1) from error


@app.command()
def token(
    role: Annotated[str, typer.Option(help="clinician, ehr-system, auditor, admin or researcher.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="How long the token is valid.")] = 12,
    subject: Annotated[str | None, typer.Option(help="Who it names [default: demo-ROLE].")] = None,
) -> None:
    """Print a bearer token for a running embedded suite."""
    from services.suite.environment import DataDirectory
    from shared.auth import PEOPLE, Role

    if role not in PEOPLE:
        raise typer.BadParameter(f"choose one of {', '.join(PEOPLE)}", param_hint="--role")
    try:
        issuer = DataDirectory(data_dir.expanduser().resolve()).issuer
        typer.echo(issuer.mint(Role(role), subject=subject, lifetime=timedelta(hours=hours)))
    except FileNotFoundError as error:
        typer.echo(f"No suite has been started in {data_dir}: run `consilium up`, or name its --data-dir.", err=True)
        raise typer.Exit(1) from error


@app.command()
def secrets(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and renew the services' token now and then.")] = False,
) -> None:
    """Make a suite's keys and tokens without starting it (used by the containers)."""
    import time

    from services.suite.environment import TOKEN_RENEWAL_S, DataDirectory

    data = DataDirectory(data_dir.expanduser().resolve())
    data.prepare()
    typer.echo(f"Secrets are in {data.secrets}")
    while watch:
        time.sleep(TOKEN_RENEWAL_S)
        data.renew_service_token()


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the whole public contract."""
    import json

    from services.suite.contract import document

    typer.echo(json.dumps(document(), indent=2))


@app.command()
def doctor(
    data_dir: DataDir = DEFAULT_DATA_DIR, port: int = 8080, dimse_port: int = 11112, mllp_port: int = 2575
) -> None:
    """Say what this machine lacks for a suite, and how to mend it."""
    from services.suite.doctor import examine

    findings = examine(data_dir.expanduser().resolve(), port, dimse_port, mllp_port)
    for finding in findings:
        mark = {"ok": "ok  ", "warn": "note", "bad": "BAD "}[finding.level]
        typer.echo(f"{mark} {finding.what}" + (f": {finding.advice}" if finding.advice else ""))
    raise typer.Exit(1 if any(f.level == "bad" for f in findings) else 0)


@app.command()
def demo(
    into: Annotated[str, typer.Option(help="Address of the running suite.")] = "http://127.0.0.1:8080",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    patients: Annotated[int, typer.Option(min=1, max=200)] = 6,
) -> None:
    """Load a small demo population into a running suite and ask for a diagnosis of each."""
    import httpx

    from services.diagnosis.ward.admit import AdmissionRefused
    from services.suite.demo import load

    try:
        load(into, data_dir.expanduser().resolve(), patients)
    except FileNotFoundError as error:
        typer.echo(f"No suite has been started in {data_dir}: run `consilium up`, or name its --data-dir.", err=True)
        raise typer.Exit(1) from error
    except (AdmissionRefused, httpx.HTTPError) as error:
        typer.echo(f"The demo population was not loaded into {into}: {error}", err=True)
        raise typer.Exit(1) from error


def _register() -> None:
    """Add the commands that belong to single services."""
    from services.audit.cli import app as audit_app
    from services.diagnosis.bench.cli import bench as bench_app
    from services.diagnosis.bundle.cli import bundle as bundle_app
    from services.diagnosis.evaluation.cli import evaluate
    from services.diagnosis.registry_cli import app as models_app
    from services.diagnosis.replay_cli import replay
    from services.diagnosis.training.cli import train
    from services.diagnosis.ward.cli import synth
    from services.imaging.cli import export_research
    from services.suite.keys_cli import app as keys_app
    from services.vitals.cli import import_file
    from services.witness.cli import witness

    app.command("synth")(synth)
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    app.command("replay")(replay)
    app.command("import")(import_file)
    app.command("export-research")(export_research)
    app.command("witness")(witness)
    app.add_typer(bundle_app, name="bundle")
    app.add_typer(bench_app, name="bench")
    app.add_typer(audit_app, name="audit")
    app.add_typer(models_app, name="models")
    app.add_typer(keys_app, name="keys")


def main() -> None:
    """The console script."""
    _register()
    app()


if __name__ == "__main__":
    main()
