"""`consilium synth`: patients of the ward, to disk or into a running suite."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.diagnosis.ward.export import Order, Record

NOW_SPREAD_H = 0.5
"""With `--anchor now` all case times lie so close before the present."""


def synth(
    patients: Annotated[int, typer.Option("--patients", "-n", min=1, help="How many patients to make.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same patients.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Directory for dicom/, notes.ndjson, vitals.ndjson, truth.ndjson.")
    ] = None,
    into: Annotated[str | None, typer.Option(help="URL of a running suite to send the patients to.")] = None,
    token: Annotated[str | None, typer.Option(envvar="CONSILIUM_TOKEN", help="Bearer token for --into.")] = None,
    anchor: Annotated[str, typer.Option(help="Present of the ward: fixed, now, or an RFC 3339 time.")] = "fixed",
    shift: Annotated[
        str, typer.Option(metavar="NAME", help="Conditions of the ward: standard, or one of those listed above.")
    ] = "standard",
    unique: Annotated[
        float, typer.Option(min=0, max=1, help="How much findings of one modality alone say, 0 nothing, 1 all.")
    ] = 1.0,
    redundant: Annotated[
        float, typer.Option(min=0, max=1, help="The same of findings that two modalities repeat.")
    ] = 1.0,
    synergy: Annotated[
        float, typer.Option(min=0, max=1, help="The same of findings that mean something only together.")
    ] = 1.0,
    processes: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 2,
) -> None:
    """Make synthetic patients with a known truth: radiograph, note and 72 hours of vitals each.

    Synthetic data, for trying, testing and training; they describe nobody and support no clinical claim.

    Shifts, each a change of the standard ward:

    \b
    new-scanner            a scanner at every site that none had before
    terse-notes            few words, many abbreviations
    copied-forward         blocks of earlier notes carried along
    noisy-wearable         more noise, artefacts and gaps
    skewed-clocks          clocks off and drifting, samples late and doubled
    older-population       78 years on average instead of 62
    new-site               a fourth site, with all its own
    darker-skin            two in three of skin type V or VI
    label-noise            one recorded diagnosis in seven is wrong
    missing-at-random      each modality missing in three of ten
    missing-not-at-random  what is missing depends on the diagnosis
    """
    if out is None and into is None:
        raise typer.BadParameter("give --out DIR, --into URL or both")
    from services.diagnosis.ward.conditions import UnknownShift
    from services.diagnosis.ward.conditions import shift as conditions_of
    from services.diagnosis.ward.dials import Dials
    from services.diagnosis.ward.export import Order

    try:
        conditions_of(shift)
    except UnknownShift as error:
        raise typer.BadParameter(str(error), param_hint="--shift") from error
    at, spread_h = parse_anchor(anchor)
    dials = Dials(unique, redundant, synergy)
    _run(Order(seed, patients, at, spread_h, min(processes, patients), shift=shift, dials=dials), out, into, token)


def parse_anchor(text: str) -> tuple[datetime, float]:
    """The anchor and the hours before it over which cases are spread. Raises: typer.BadParameter."""
    from services.diagnosis.ward.generate import ANCHOR, SPREAD_H

    if text == "fixed":
        return ANCHOR, SPREAD_H
    if text == "now":
        return datetime.now(UTC), NOW_SPREAD_H
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither fixed, now nor an RFC 3339 time") from error
    if at.tzinfo is None:
        raise typer.BadParameter(f"{text!r} lacks a time zone, such as Z or +01:00")
    return at, SPREAD_H


def _run(order: Order, out: Path | None, into: str | None, token: str | None) -> None:
    import httpx
    from rich.console import Console
    from rich.progress import track

    from services.diagnosis.ward.admit import AdmissionRefused, connect

    console = Console(stderr=True)
    admissions = connect(into, token) if into else None
    try:
        for record in track(_source(order, out), "Admitting" if into else "Writing", order.patients, console=console):
            if admissions:
                admissions.admit(record)
    except (AdmissionRefused, httpx.TransportError, OSError) as error:
        console.print(f"[red]synth stopped:[/] {error}")
        raise typer.Exit(1) from error
    if admissions:
        console.print(f"{order.patients} patients admitted, {admissions.accepted} samples accepted")
        for reason, count in admissions.rejected.items():
            console.print(f"[yellow]{count} samples rejected:[/] {reason}")
    if out:
        console.print(f"{order.patients} patients written to {out}")


def _source(order: Order, out: Path | None) -> Iterator[Record]:
    from services.diagnosis.ward.export import records, write

    return write(order, out) if out else records(order)
