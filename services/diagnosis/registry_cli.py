"""`consilium models …`: rolling bundles out and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(name="models", help="Roll model bundles out and back.", no_args_is_help=True)

Url = Annotated[str, typer.Option(envvar="CONSILIUM_URL", help="Address of the suite.")]
Token = Annotated[str, typer.Option(envvar="CONSILIUM_TOKEN", help="Bearer token of whoever does it.")]
Model = Annotated[str, typer.Argument(help="Version, digest or id of the bundle; a beginning will do.")]
Why = Annotated[str | None, typer.Option(help="The reason, for the history.")]
HERE = "http://127.0.0.1:8080"
LEAST = 3
"""A beginning that is shorter names nothing: a digest may be meant, or a version."""


@app.command("list")
def list_models(url: Url = HERE, token: Token = "") -> None:
    """Every bundle that the registry knows, and where it stands."""
    for one in _call(url, token, "GET", "/models")["items"]:
        share = next((f" {c['percent']} %" for c in reversed(one["history"]) if c["percent"]), "")
        stage = one["stage"] + (share if one["stage"] == "canary" else "")
        typer.echo(f"{stage:<12} {one['name']} {one['version']:<10} {one['digest'][:19]}  {one['id']}")


@app.command()
def show(model: Model, url: Url = HERE, token: Token = "") -> None:
    """A bundle's history, and which gates it has passed."""
    found = _call(url, token, "GET", f"/models/{_find(url, token, model)['id']}")
    typer.echo(f"{found['name']} {found['version']} is {found['stage']}\n{found['digest']}")
    for change in found["history"]:
        told = [change["change"], *([f"{change['percent']} %"] if change["percent"] else [])]
        reason = f": {change['reason']}" if change["reason"] else ""
        typer.echo(f"  {change['at'][:19]}  {' '.join(told)} by {change['actor']}{reason}")
    for piece in found["evidence"]:
        typer.echo(f"  {piece['at'][:19]}  {piece['kind']} by {piece['actor']}")
    for gate in found["gates"]:
        typer.echo(f"{'passed' if gate['passed'] else 'OPEN  '} {gate['gate']}: {gate['found']}")
        if not gate["passed"]:
            typer.echo(f"         {gate['fix']}")


@app.command()
def evaluate(
    model: Model,
    report: Annotated[Path, typer.Argument(help="What `consilium evaluate --json` wrote.")],
    url: Url = HERE,
    token: Token = "",
) -> None:
    """Hand an evaluation in."""
    import json

    from services.diagnosis.bundle.evidence import evaluation_of_report

    try:
        body = evaluation_of_report(json.loads(report.read_text("utf-8")))
    except (OSError, ValueError) as error:
        _stop(f"{report} cannot be used: {error}")
    found = _call(url, token, "POST", f"/models/{_find(url, token, model)['id']}/evaluations", body)
    typer.echo(next(gate["found"] for gate in found["gates"] if gate["gate"] == "evaluation"))


@app.command()
def approve(
    model: Model,
    name: Annotated[str, typer.Option(help="Your name, as it is printed.")],
    meaning: Annotated[str, typer.Option(help="approval or responsibility.")] = "approval",
    comment: Why = None,
    url: Url = HERE,
    token: Token = "",
) -> None:
    """Sign that a bundle may be used here."""
    found = _find(url, token, model)
    body = {"bundleDigest": found["digest"], "name": name, "meaning": meaning}
    body |= {"comment": comment} if comment else {}
    answer = _call(url, token, "POST", f"/models/{found['id']}/approvals", body)
    typer.echo(next(gate["found"] for gate in answer["gates"] if gate["gate"] == "approvals"))


@app.command()
def promote(
    model: Model,
    stage: Annotated[str, typer.Argument(help="shadow, canary, active, retired or candidate.")],
    percent: Annotated[int | None, typer.Option(min=1, max=99, help="Of the patients, for the canary.")] = None,
    reason: Why = None,
    url: Url = HERE,
    token: Token = "",
) -> None:
    """Put a bundle into a stage."""
    body = {"stage": stage, "percent": percent, "reason": reason}
    body = {key: value for key, value in body.items() if value is not None}
    found = _call(url, token, "POST", f"/models/{_find(url, token, model)['id']}/promote", body)
    typer.echo(f"{found['name']} {found['version']} is {found['stage']}")


@app.command()
def agreement(model: Model, url: Url = HERE, token: Token = "") -> None:
    """How far a bundle in the shadow says what is released."""
    for one in _call(url, token, "GET", f"/models/{_find(url, token, model)['id']}/agreement")["items"]:
        same = one["sameLeading"]
        typer.echo(
            f"beside {one['beside'][:19]}: n = {one['n']}, same first diagnosis {same['value']:.3f} "
            f"[{same['low']:.3f}, {same['high']:.3f}], probabilities differ by {one['meanDifference']:.3f} "
            f"on average, {one['greatestDifference']:.3f} at most"
        )


@app.command()
def rollback(reason: Why = None, url: Url = HERE, token: Token = "") -> None:
    """Have the bundle answer again that was active before."""
    found = _call(url, token, "POST", "/models/rollback", {"reason": reason} if reason else {})
    typer.echo(f"{found['name']} {found['version']} is {found['stage']}")


def _find(url: str, token: str, model: str) -> dict[str, Any]:
    models = _call(url, token, "GET", "/models")["items"]
    exact = [one for one in models if model in (one["version"], one["id"], one["digest"])]
    begun = [one for one in models if len(model) >= LEAST and any(one[k].startswith(model) for k in ("id", "digest"))]
    found = exact or begun
    if len(found) != 1:
        _stop(f"{model} names {len(found)} bundles: take an id from `consilium models list`.")
    return dict(found[0])


def _call(url: str, token: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.request(method, f"{url}{path}", json=body, headers=headers, timeout=60, trust_env=False)
    except httpx.HTTPError as error:
        _stop(f"The suite at {url} does not answer: {type(error).__name__}.")
    if not answer.is_success:
        said = answer.json()
        fixes = [f"  {gate['gate']}: {gate['found']}\n    {gate['fix']}" for gate in said.get("gates", ())]
        fixes += [f"  {one['field']}: {one['problem']}" for one in said.get("errors", ())]
        _stop("\n".join([str(said.get("detail", answer.status_code)), *fixes]))
    return answer.json()


def _stop(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(1)
