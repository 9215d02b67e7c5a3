"""`consilium bundle`: look into a bundle, check, sign or export it, make a key; statuses: docs/reference/bundle.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.diagnosis.bundle.location import DEMO_BUNDLE

if TYPE_CHECKING:
    from services.diagnosis.bundle.keys import PublicKey

bundle = typer.Typer(help="Inspect, verify and sign model bundles.", no_args_is_help=True)
Directory = Annotated[Path, typer.Argument(help="The bundle's directory; default: the demo bundle.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@bundle.command()
def inspect(
    directory: Directory = DEMO_BUNDLE,
    card: Annotated[bool, typer.Option("--card", help="Print the whole model card.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a bundle is, whether it can be believed, its files, and the card's headline."""
    from services.diagnosis.bundle.card import headline
    from services.diagnosis.bundle.layout import CARD, CARD_TEXT, SIGNATURE
    from services.diagnosis.bundle.manifest import read_manifest, verify_manifest

    with _told():
        identity, files = verify_manifest(directory), read_manifest(directory)["files"]
    told, signature = json.loads((directory / CARD).read_text(encoding="utf-8")), _signature(directory)
    if as_json:
        about = {"name": identity.name, "version": identity.version, "digest": identity.digest, "signature": signature}
        typer.echo(json.dumps({**about, "files": files, "card": told}, indent=1))
        return
    if card:
        typer.echo((directory / CARD_TEXT).read_text(encoding="utf-8"))
        return
    rows = [
        ("bundle", f"{identity.name} {identity.version}"),
        ("digest", identity.digest),
        ("signature", signature["detail"]),
        ("warning", told["warning"]),
        ("intended use", told["intendedUse"]),
        ("trained on", told["trainingData"]),
        ("headline", headline(told)),
        ("licence", told["licence"]),
    ]
    _print_tables(rows, files, SIGNATURE if (directory / SIGNATURE).exists() else None)


@bundle.command()
def verify(
    directory: Directory = DEMO_BUNDLE,
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="Trust this public key (PEM) and no other; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every file against the manifest and the signature against the trusted keys, and say what was checked.

    Exit status: 0 all is well, 3 no bundle, 4 unreadable, 5 tampered with, 6 unsigned, 7 wrongly signed,
    8 signed by a key that is not trusted, 9 a key file is unusable.
    """
    from services.diagnosis.bundle.errors import BundleError
    from services.diagnosis.bundle.keys import read_public_key
    from services.diagnosis.bundle.trust import trusted_keys

    answer: dict[str, Any] = {"ok": True, "status": 0, "checks": []}
    try:
        keys = tuple(read_public_key(path) for path in key) if key else trusted_keys()
        for name, said in _checks(directory, keys, answer):
            answer["checks"].append({"check": name, "passed": True, "detail": said})
    except BundleError as error:
        failed = {"check": error.slug, "passed": False, "detail": error.detail}
        answer |= {"ok": False, "status": error.exit_status, "problem": error.slug, "title": error.title}
        answer["checks"].append(failed)
    if as_json:
        typer.echo(json.dumps(answer, indent=1))
    else:
        _say(answer)
    raise typer.Exit(answer["status"])


@bundle.command()
def sign(
    directory: Annotated[Path, typer.Argument(help="The bundle's directory.")],
    key: Annotated[Path | None, typer.Option("--key", help="Private key (PEM); default: this user's own.")] = None,
) -> None:
    """Sign a whole bundle with a private key; the signature that was there is replaced, the digest stays."""
    from services.diagnosis.bundle.keys import fingerprint_of, local_key, read_private_key
    from services.diagnosis.bundle.verification import sign_bundle

    with _told():
        private = read_private_key(key or local_key(), _ask_password)
        identity = sign_bundle(directory, private)
    typer.echo(f"signed {identity.name} {identity.version} {identity.digest}")
    typer.echo(f"with the key {fingerprint_of(private.public_key())}")


@bundle.command()
def keygen(
    private: Annotated[Path, typer.Argument(help="New file for the private key; the public one is put beside it.")],
    trust: Annotated[bool, typer.Option("--trust", help="Trust its bundles here, for this user.")] = False,
) -> None:
    """Make a key pair for signing (elliptic curve P-256, PEM); the private half is readable by you alone."""
    from services.diagnosis.bundle.keys import local_trusted_keys, make_key_pair, trust_key

    public = private.with_suffix(".pub.pem")
    with _told():
        made = make_key_pair(private, public)
        if trust:
            typer.echo(f"trusted    {trust_key(public, local_trusted_keys())}")
    typer.echo(f"private    {private} (keep it secret; whoever has it can sign for you)")
    typer.echo(f"public     {public}\nfingerprint {made.fingerprint}")


@bundle.command()
def export(
    onnx: Annotated[Path, typer.Option("--onnx", help="Directory of the graphs; an older export there is replaced.")],
    directory: Directory = DEMO_BUNDLE,
) -> None:
    """Write the bundle's network as ONNX (fp32), one graph per encoder and one for the fusion, and check it.

    Both networks are asked about the same synthetic patients under every pattern of modalities; calibrated
    probabilities may differ by 1e-4. Exit status 1: they differ by more, or ONNX is not installed; else as verify.
    """
    with _told():
        from services.diagnosis.export.onnx_bundle import export_bundle

        done = export_bundle(directory, onnx)
    found = done.difference
    typer.echo(f"{done.bundle.name} {done.bundle.version} {done.bundle.digest}")
    for name in done.files:
        typer.echo(f"{(onnx / name).stat().st_size:>12}  {onnx / name}")
    typer.echo(f"max |Δp| {found.probabilities:.1e} over {found.answers} answers in {found.batches} batches (≤ 1e-04)")


def _checks(directory: Path, keys: Sequence[PublicKey], answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, what was found) of each check that passed, one after the other. Raises: BundleError at the first fault."""
    from services.diagnosis.bundle.layout import read_entries
    from services.diagnosis.bundle.manifest import check_manifest
    from services.diagnosis.bundle.signature import check_signature

    entries = read_entries(directory)
    identity = check_manifest(directory, entries)
    answer |= {"name": identity.name, "version": identity.version, "digest": identity.digest}
    yield "files", f"{len(entries)} files, each named, of a kind that a bundle may hold, and with its digest"
    yield "digest", identity.digest
    signer = check_signature(directory, entries, keys)
    answer["signer"] = {"name": signer.name, "fingerprint": signer.fingerprint}
    yield "signature", f"all files are signed with the key {signer.name} ({signer.fingerprint[:16]}…)"
    yield "trust", f"{signer.name} is one of {len(keys)} keys that count here"


def _signature(directory: Path) -> dict[str, Any]:
    from services.diagnosis.bundle.errors import BundleError
    from services.diagnosis.bundle.verification import verify_bundle

    try:
        signer = verify_bundle(directory).signer
    except BundleError as error:
        return {"ok": False, "problem": error.slug, "detail": f"NOT TO BE BELIEVED. {error.title}: {error.detail}"}
    return {"ok": True, "detail": f"by {signer.name}, trusted here ({signer.fingerprint[:16]}…)"}


def _print_tables(rows: list[tuple[str, str]], files: dict[str, Any], signature: str | None) -> None:
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name:<{width}}  {value}")
    typer.echo(f"\n{'bytes':>10}  {'sha256':<16}  file")
    for name, entry in files.items():
        typer.echo(f"{entry['size']:>10}  {entry['digest'].removeprefix('sha256:')[:16]}  {name}")
    typer.echo(f"{sum(entry['size'] for entry in files.values()):>10}  in {len(files)} files")
    if signature:
        typer.echo(f"Beside them manifest.json, whose digest names the bundle, and {signature}, the signature.")


def _say(answer: dict[str, Any]) -> None:
    for check in answer["checks"]:
        typer.echo(f"{'ok  ' if check['passed'] else 'BAD '} {check['check']}: {check['detail']}", err=not answer["ok"])
    if answer["ok"]:
        typer.echo(f"ok: {answer['name']} {answer['version']} {answer['digest']}")
    else:
        typer.echo(f"{answer['title']}.", err=True)


def _ask_password() -> str:
    return str(typer.prompt("Password of the key", hide_input=True, err=True))


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a bundle goes to stderr, and its number becomes the exit status."""
    from services.diagnosis.bundle.errors import BundleError

    try:
        yield
    except BundleError as error:
        typer.echo(f"{error.title}: {error.detail}", err=True)
        raise typer.Exit(error.exit_status) from error
