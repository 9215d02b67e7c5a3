"""`consilium replay`: does a past diagnosis come out again?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.diagnosis.replay_schemas import ReplayOut


def replay(
    diagnosis: Annotated[str, typer.Argument(help="The diagnosis's id.")],
    url: Annotated[str, typer.Option(envvar="CONSILIUM_URL", help="Address of the suite.")] = "http://127.0.0.1:8080",
    token: Annotated[
        str, typer.Option(envvar="CONSILIUM_TOKEN", help="Bearer token of an auditor, clinician or administrator.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Compute a past diagnosis again from its digests and compare it with what was released.

    Exits 0 where it comes out the same (bitwise, or but for rounding), 1 where it does not, 2 where it cannot be told:
    inputs erased, consent withdrawn, another model. The replay is itself an entry in the audit log.
    """
    import httpx

    from services.diagnosis.replay_schemas import AGREES, DISAGREES, ReplayOut

    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.post(f"{url}/diagnoses/{diagnosis}/replay", headers=headers, timeout=120, trust_env=False)
    except httpx.HTTPError as error:
        typer.echo(f"The suite at {url} does not answer: {type(error).__name__}.", err=True)
        raise typer.Exit(2) from error
    if answer.status_code != 200:
        typer.echo(f"Not replayed: {answer.json().get('detail', answer.status_code)}", err=True)
        raise typer.Exit(2)
    said = ReplayOut.model_validate(answer.json())
    typer.echo(answer.text if json else _told(said))
    raise typer.Exit(0 if said.verdict in AGREES else 1 if said.verdict in DISAGREES else 2)


def _told(said: ReplayOut) -> str:
    lines = [f"{said.verdict.value}: {said.text}", f"  case   {said.case_digest}", f"  model  {said.bundle_digest}"]
    if said.replayed_with != said.bundle_digest:
        lines.append(f"  here   {said.replayed_with}")
    if said.greatest_difference is not None:
        lines.append(f"  numbers differ by {said.greatest_difference:.3g} at most (rounding: {said.epsilon:g})")
    return "\n".join([*lines, *(f"  differs at {place}" for place in said.places)])
