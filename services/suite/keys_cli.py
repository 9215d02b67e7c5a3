"""`consilium keys`: the key that encrypts data keys."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from services.suite.environment import DEFAULT_DATA_DIR

if TYPE_CHECKING:
    from shared.keys.wrapping import KeyWrapper

app = typer.Typer(help="The key that encrypts data keys.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `rewrap` a command of its own."""


@app.command()
def rewrap(
    to: Annotated[str, typer.Option(help="The new key: file:PATH (64 hex digits), or kms:KEY.")],
    old: Annotated[
        str | None, typer.Option("--from", help="The old key, likewise [default: the data directory's own file].")
    ] = None,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", envvar="CONSILIUM_DATA_DIR", help="Of the suite, which must not run.")
    ] = DEFAULT_DATA_DIR,
    database: Annotated[
        str | None,
        typer.Option(envvar="CONSILIUM_KEYS_DATABASE_URL", help="Of data keys [default: the data directory's]."),
    ] = None,
) -> None:
    """Wrap all data keys under another key: to change it, or to move it into a key management service or out of one.

    Stop the suite first. Data keys stay the same, so no image or note is written anew. A run that was cut off is run
    again with the same options. Afterwards start the suite with the new key, and destroy the old one once backups that
    need it are gone.

    Exits 0 when all are wrapped under the new key, 1 when not; then the old key is needed still.
    """
    from rich.progress import Progress

    from services.suite.environment import DataDirectory, DirectoryInUse
    from shared.errors import Unavailable
    from shared.keys.rewrapping import NeitherOpens, count
    from shared.keys.rewrapping import rewrap as rewrap_all

    data = DataDirectory(data_dir.expanduser().resolve())
    if database is None and not data.keys_database.is_file():
        _stop(f"There are no data keys in {data_dir}: name --data-dir, or --database.")
    url = database or f"sqlite:///{data.keys_database}"
    before, after = _wrapper(old or f"file:{data.key_encryption_key}", "--from"), _wrapper(to, "--to")
    try:
        # A database elsewhere has no such lock: whoever names it knows what runs on it.
        with data.lock() if database is None else nullcontext(), Progress() as progress:
            task = progress.add_task("Wrapping data keys", total=count(url))
            done = rewrap_all(url, before, after, lambda: progress.advance(task))
    except DirectoryInUse:
        _stop("The suite runs on this directory: stop it first.")
    except NeitherOpens as error:
        _stop(f"Stopped: {error}. Keys before it are wrapped anew; run again with the key that it needs as --from.")
    except Unavailable as error:
        _stop(f"Stopped: {error.detail} Run it again; what is done stays done.")
    typer.echo(f"{done.anew} data keys wrapped under the new key; {done.already} were already.")
    typer.echo(f"Start the suite with {_setting(to)} and keep the old key for as long as backups need it.")


def _wrapper(key: str, option: str) -> KeyWrapper:
    from shared.keys.wrapping import open_wrapper

    kind, _, name = key.partition(":")
    try:
        if kind == "file" and name:
            return open_wrapper(Path(name).expanduser(), None)
        if kind == "kms" and name:
            return open_wrapper(None, name)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{error}", param_hint=option) from error
    except ImportError as error:
        raise typer.BadParameter("pip install 'consilium[kms]' first", param_hint=option) from error
    raise typer.BadParameter("write file:PATH or kms:KEY", param_hint=option)


def _setting(key: str) -> str:
    kind, _, name = key.partition(":")
    setting = "CONSILIUM_KEY_ENCRYPTION_KEY_FILE" if kind == "file" else "CONSILIUM_KEY_ENCRYPTION_KMS_KEY"
    return f"{setting}={name}"


def _stop(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(1)
