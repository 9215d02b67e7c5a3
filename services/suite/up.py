"""`consilium up`: start everything, say when it is ready and what to try, stop everything on one Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console
from rich.rule import Rule
from sqlalchemy.exc import SQLAlchemyError

from services.diagnosis.bundle.errors import BundleError
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.verification import verify_bundle
from services.diagnosis.domain import NOTHING_ACTIVE
from services.suite import topology
from services.suite.environment import DEFAULT_DATA_DIR, TOKEN_RENEWAL_S, DataDirectory, Ports, key_settings
from services.suite.processes import Supervisor
from services.suite.servers import port_is_free
from shared.auth import PEOPLE, Role
from shared.errors import Unavailable
from shared.keys.store import KeyStore
from shared.keys.wrapping import open_wrapper
from shared.secret_files import from_environment

READY_TIMEOUT_S = 180.0


class CannotStart(Exception):
    """Why the suite does not start, in words for the person at the terminal."""


@dataclass(frozen=True)
class Options:
    """What `consilium up` was asked for."""

    data_dir: Path
    ports: Ports
    is_distributed: bool
    demo: bool | None
    """Load the demo population: yes, no, or ask when there is somebody to ask."""


def run(options: Options, console: Console) -> None:
    """Run a suite until SIGINT or SIGTERM. Raises: CannotStart, DirectoryInUse, MissingServer."""
    started = time.monotonic()
    data = DataDirectory(options.data_dir.expanduser().resolve())
    _check_ports(options)
    _check_bundle()
    with data.lock():
        data.prepare()
        _check_keys(data)
        with _topology(options, data) as plan, _supervised(plan, data, console) as supervisor:
            stop = _stop_on_signal()
            can_diagnose = wait_until_ready(plan.address, supervisor, data, console, stop)
            if stop.is_set():
                return
            _welcome(console, plan, data, time.monotonic() - started, options, can_diagnose)
            if can_diagnose and _is_first_start(data):
                _offer_demo(options, plan, data, console, stop)
            _stay(stop, data)


def _check_bundle() -> None:
    """Said before anything runs; a worker that refuses its bundle would die again and again."""
    try:
        verify_bundle(Path(os.environ.get("CONSILIUM_DIAGNOSIS_BUNDLE_DIR", DEMO_BUNDLE)))
    except BundleError as error:
        raise CannotStart(f"{error.title}. {error.detail}") from error


def _check_keys(data: DataDirectory) -> None:
    """Said before anything runs; with another key every image and every note would fail by itself, in a suite that
    says that it is ready."""
    settings = key_settings(data)
    file = settings.get("CONSILIUM_KEY_ENCRYPTION_KEY_FILE")
    kms_key = None if file else from_environment("CONSILIUM_KEY_ENCRYPTION_KMS_KEY")
    try:
        store = KeyStore(settings["CONSILIUM_KEYS_DATABASE_URL"], open_wrapper(Path(file) if file else None, kms_key))
        try:
            opens = store.opens()
        finally:
            store.close()
    except (OSError, ValueError) as error:
        raise CannotStart(f"the key that encrypts data keys cannot be read: {error}") from error
    except (Unavailable, SQLAlchemyError):
        return  # The services wait for what is away, and answer 503 meanwhile.
    if not opens:
        raise CannotStart(
            f"what is stored was not sealed under {file or 'this key of the key management service'}: set "
            "CONSILIUM_KEY_ENCRYPTION_KEY_FILE or CONSILIUM_KEY_ENCRYPTION_KMS_KEY to the key of the last "
            "`consilium keys rewrap`"
        )


def _check_ports(options: Options) -> None:
    ports = options.ports
    wanted = {ports.dimse: "--dimse-port", ports.mllp: "--mllp-port"}
    wanted |= {ports.vitals_mllp: "--vitals-mllp-port"} if ports.vitals_mllp is not None else {}
    wanted |= {ports.http + n: "--port" for n in range(8 if options.is_distributed else 1)}
    for port, flag in wanted.items():
        if not port_is_free(port):
            raise CannotStart(f"port {port} is in use: choose another with {flag}, or stop what listens there")


@contextmanager
def _topology(options: Options, data: DataDirectory) -> Iterator[topology.Topology]:
    make = topology.distributed if options.is_distributed else topology.embedded
    with make(data, options.ports) as plan:
        yield plan


@contextmanager
def _supervised(plan: topology.Topology, data: DataDirectory, console: Console) -> Iterator[Supervisor]:
    supervisor = Supervisor(data.root / "processes.json")
    try:
        for program in plan.programs:
            supervisor.start(program)
        yield supervisor
    finally:
        console.print("Stopping …", style="dim")
        supervisor.stop()
        console.print("Stopped. Everything acknowledged is on disk.", style="dim")


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()

    def _on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    return stop


def wait_until_ready(
    address: str, supervisor: Supervisor, data: DataDirectory, console: Console, stop: threading.Event
) -> bool:
    """True when `/readyz` answers 200, telling meanwhile what is waited for; False when all that is waited for is that
    people choose a bundle, which they can only do while the suite runs, or when the wait is stopped.

    Raises: CannotStart: a process keeps dying, or it takes too long; the message ends with the log's last lines.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    with console.status("Starting …") as status, httpx.Client(timeout=5, trust_env=False) as http:
        while not stop.is_set():
            if troubled := supervisor.troubled():
                raise CannotStart(f"{troubled[0]} does not start:\n{_tail(data.logs / f'{troubled[0]}.log')}")
            if time.monotonic() > deadline:
                raise CannotStart(f"not ready after {READY_TIMEOUT_S:.0f} s; see {data.logs}")
            waiting = _waiting_for(http, address)
            if not waiting:
                return True
            if all(what.endswith(NOTHING_ACTIVE) for what in waiting):
                return False
            status.update(f"Starting … waiting for {waiting[0]}")
            stop.wait(0.2)
    return False


def _waiting_for(http: httpx.Client, address: str) -> list[str]:
    try:
        answer = http.get(f"{address}/readyz")
        return [] if answer.status_code == 200 else list(answer.json().get("waitingFor") or ["the services"])
    except (httpx.HTTPError, ValueError):
        return ["the web process"]


def _tail(log: Path, lines: int = 15) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return f"(no log at {log})"


def _is_first_start(data: DataDirectory) -> bool:
    marker = data.root / "started"
    if marker.exists():
        return False
    marker.touch()
    return True


def _vitals_door(ports: Ports) -> str:
    return f", for vital signs at 127.0.0.1:{ports.vitals_mllp}" if ports.vitals_mllp is not None else ""


def _welcome(
    console: Console,
    plan: topology.Topology,
    data: DataDirectory,
    seconds: float,
    options: Options,
    can_diagnose: bool,
) -> None:
    flag = "" if data.root == DEFAULT_DATA_DIR.resolve() else f" --data-dir {data.root}"
    tokens = {role: data.issuer.mint(role) for role in PEOPLE}
    style, state = ("green", "is ready") if can_diagnose else ("yellow", "takes evidence, no diagnosis yet")
    title = f"[bold {style}]Consilium {state}[/] ({seconds:.1f} s). Decision support, not a medical device."
    console.print(Rule(title, align="left", style=style))
    if not can_diagnose:
        console.print(f"[bold yellow]{'missing':<11}[/]{NOTHING_ACTIVE}", highlight=False)
    for name, value in (
        ("web", f"{plan.address}/#token={tokens[Role.CLINICIAN]}"),
        ("api", f"{plan.address}/docs"),
        ("dicom", f"CONSILIUM at 127.0.0.1:{options.ports.dimse}"),
        ("hl7 v2", f"MLLP at 127.0.0.1:{options.ports.mllp}{_vitals_door(options.ports)}"),
        ("data", str(data.root)),
    ):
        console.print(f"[bold]{name:<11}[/]{value}", highlight=False)
    console.print("\nTokens, valid for twelve hours:", style="dim")
    for role, token in tokens.items():
        console.print(f"[bold]{role:<11}[/][dim]{token}[/]", highlight=False)
    console.print("\nTry in another terminal (after `source .venv/bin/activate`):", style="dim")
    if can_diagnose:
        console.print(
            f"  consilium demo --into {plan.address}{flag}          # a few synthetic patients", highlight=False
        )
    console.print(f"  consilium token --role clinician{flag}", highlight=False)
    console.print("Stop with Ctrl-C.\n", style="dim")


def _offer_demo(
    options: Options, plan: topology.Topology, data: DataDirectory, console: Console, stop: threading.Event
) -> None:
    wanted = options.demo
    if wanted is None and sys.stdin.isatty():
        wanted = _ask(console, "Load a small demo population (6 synthetic patients)?", stop)
    if not wanted:
        return
    command = [sys.executable, "-m", "services.cli", "demo", "--into", plan.address, "--data-dir", str(data.root)]
    subprocess.run(command, check=False)


def _ask(console: Console, question: str, stop: threading.Event) -> bool:
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        return console.input(f"{question} [Y/n] ").strip().lower() in ("", "y", "yes")
    stop.set()
    return False


def _stay(stop: threading.Event, data: DataDirectory) -> None:
    while not stop.wait(TOKEN_RENEWAL_S):
        data.renew_service_token()
