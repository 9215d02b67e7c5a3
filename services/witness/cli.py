"""`consilium witness`: watch a log from another host, under another administrator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def witness(
    log_keys: Annotated[Path, typer.Option(help="File with the key lines of the logs to watch.")],
    data_dir: Annotated[Path, typer.Option(help="Where the witness keeps its key and what it has seen.")],
    name: Annotated[str, typer.Option(help="Its name in cosignatures; it never changes.")] = "consilium.local/witness",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8090,
) -> None:
    """Run a witness: cosign a log's checkpoints as long as each continues the last, and keep what contradicts."""
    import uvicorn

    from services.witness.app import create_app
    from services.witness.settings import Settings
    from shared.telemetry import configure_logging

    configure_logging()
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        settings = Settings(
            database_url=f"sqlite:///{data_dir / 'witness.db'}",
            signing_key_file=data_dir / "witness.key",
            public_key_file=data_dir / "witness.vkey",
            name=name,
            log_keys_file=log_keys,
        )
        app = create_app(settings)
    except ValueError as error:
        typer.echo(f"The witness does not start: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(
        f"Watching {', '.join(app.state.witness.logs)} at http://{host}:{port}; key: {app.state.witness.cosigner.key}"
    )
    uvicorn.run(app, host=host, port=port, access_log=False, server_header=False, log_level="warning")
