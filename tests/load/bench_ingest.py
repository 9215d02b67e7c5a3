"""`make bench-ingest`: images in by C-STORE and STOW-RS, beside Debian's Orthanc in the same run, and notes.

    python -m tests.load.bench_ingest --rounds 3 --instances 100

The same senders send the same radiographs (512 x 512, 16 bits, 525 kB) to both, turn by turn: dcmtk's storescu and
dicomweb-client, one and four at a time. Both sides answer when an instance is durable (Orthanc with SyncStorageArea).
TCP_NODELAY is set for Orthanc and the senders: as shipped, Nagle's algorithm and delayed acknowledgements hold Orthanc
down to 20 instances a second and association, which would say nothing of what it can do; --as-shipped leaves it so.

Beside the rate stands the processor time that each receiver took, all of its processes together: unlike the rate it
says the same on a machine that is busy with other things.

Needs dcmtk, orthanc and orthanc-dicomweb (apt-get install dcmtk orthanc orthanc-dicomweb).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.diagnosis.ward.generate import generate_patient
from services.suite.servers import free_port
from tests.support.cases import Case, dicom_copy
from tests.support.suite import RunningSuite, running_suite, until

SIDE = 512
STOW_SENDER = """
import sys, pydicom
from pathlib import Path
from dicomweb_client import DICOMwebClient
url, token, directory = sys.argv[1:]
client = DICOMwebClient(url, headers={"Authorization": f"Bearer {token}"} if token else {})
instances = [pydicom.dcmread(path) for path in sorted(Path(directory).iterdir())]
sys.stdin.readline()
for instance in instances:
    client.store_instances([instance])
"""
"""Waits until all senders have loaded their instances, then sends them one by one."""


@dataclass(frozen=True)
class Receiver:
    """Where the senders send to."""

    name: str
    dimse_port: int
    title: str
    dicomweb: str
    token: str
    pid: int

    def cpu_s(self) -> float:
        """Processor time that it and its children have taken so far."""
        process = psutil.Process(self.pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
        return float(sum(one.user + one.system for one in times))


@dataclass(frozen=True)
class Round:
    """What one way of sending took of one receiver."""

    instances_per_s: float
    cpu_ms: float
    """Of the receiver, for each instance."""


def main() -> None:
    """Run the rounds and print what each side took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=100, help="of each round and way, split among the senders")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--as-shipped", action="store_true", help="without TCP_NODELAY")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    missing = [tool for tool in ("storescu", "Orthanc") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found: apt-get install dcmtk orthanc orthanc-dicomweb")
    if not arguments.as_shipped:
        os.environ["TCP_NODELAY"] = "1"
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with running_suite(directory / "data") as suite, orthanc(directory / "orthanc") as peer:
            receivers = [_ours(suite), peer]
            rates = measure(receivers, directory, arguments.instances, arguments.rounds, console)
            notes = {senders: notes_per_s(suite, arguments.notes, senders) for senders in (1, 4)}
    console.print(_table(rates, [receiver.name for receiver in receivers]))
    for senders, rate in notes.items():
        console.print(f"Notes by POST /notes, {senders} at a time: {rate:.0f}/s (n = {arguments.notes}).")
    if arguments.json:
        kept = [
            {"way": way, "receiver": who, "rounds": [asdict(one) for one in found]}
            for (way, who), found in rates.items()
        ]
        arguments.json.write_text(json.dumps({"images": kept, "notes_per_s": notes}))


WAYS: dict[str, tuple[Callable[[Receiver, Path], subprocess.Popen[bytes]], int]] = {}


def measure(
    receivers: Sequence[Receiver], directory: Path, instances: int, rounds: int, console: Console
) -> dict[tuple[str, str], list[Round]]:
    """By way and receiver; who comes first alternates."""
    rates: dict[tuple[str, str], list[Round]] = {}
    template = radiograph()
    with Progress(console=console) as progress:
        task = progress.add_task("Sending", total=rounds * len(WAYS) * len(receivers))
        for number in range(rounds):
            for way, (start, senders) in WAYS.items():
                films = write_films(template, directory / "films", instances, senders)
                for receiver in receivers[:: 1 if number % 2 == 0 else -1]:
                    before = receiver.cpu_s()
                    took = timed(start, receiver, films)
                    cpu_ms = (receiver.cpu_s() - before) / instances * 1e3
                    rates.setdefault((way, receiver.name), []).append(Round(instances / took, cpu_ms))
                    progress.advance(task)
                shutil.rmtree(directory / "films")
    return rates


def timed(start: Callable[[Receiver, Path], subprocess.Popen[bytes]], receiver: Receiver, films: list[Path]) -> float:
    """Seconds until all senders have ended. Raises: RuntimeError: one of them failed."""
    senders = [start(receiver, film) for film in films]
    time.sleep(3 if senders[0].stdin else 0)  # until they have loaded what they send
    begun = time.perf_counter()
    for sender in senders:
        if sender.stdin:
            sender.stdin.write(b"\n")
            sender.stdin.close()
    codes = [sender.wait() for sender in senders]
    took = time.perf_counter() - begun
    if any(codes):
        raise RuntimeError(f"a sender to {receiver.name} ended with {codes}")
    return took


def _storescu(receiver: Receiver, films: Path) -> subprocess.Popen[bytes]:
    command = ["storescu", "-aec", receiver.title, "127.0.0.1", str(receiver.dimse_port), "+sd", str(films)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _stow(receiver: Receiver, films: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", STOW_SENDER, receiver.dicomweb, receiver.token, str(films)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


for _senders in (1, 4):
    WAYS[f"C-STORE (storescu) x {_senders}"] = (_storescu, _senders)
    WAYS[f"STOW-RS (dicomweb-client) x {_senders}"] = (_stow, _senders)


def radiograph() -> FileDataset:
    """A synthetic radiograph, enlarged to 512 x 512."""
    dataset = dicom_copy(Case.of(generate_patient(77, 0)).dataset)
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress(generate_instance_uid=False)
    pixels = dataset.pixel_array
    rows, columns = (np.linspace(0, side - 1, SIDE).astype(int) for side in pixels.shape)
    dataset.Rows = dataset.Columns = SIDE
    dataset.PixelData = pixels[np.ix_(rows, columns)].tobytes()
    return dataset


def write_films(template: FileDataset, directory: Path, instances: int, senders: int) -> list[Path]:
    """New instances of a study each, in one directory per sender."""
    folders = [directory / str(number) for number in range(senders)]
    for folder in folders:
        folder.mkdir(parents=True)
    for number in range(instances):
        template.StudyInstanceUID, template.SeriesInstanceUID = generate_uid(), generate_uid()
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        template.PatientID = f"BENCH-{template.SOPInstanceUID[-12:]}"
        template.save_as(folders[number % senders] / f"{number:04d}.dcm", enforce_file_format=True)
    return folders


def notes_per_s(suite: RunningSuite, count: int, senders: int) -> float:
    """Notes of a page each, of as many patients, over kept connections."""
    text = Case.of(generate_patient(77, 0)).note["text"]

    def send(number: int) -> int:
        note = {"patient": f"NOTE-{senders}-{number}", "authored": "2026-03-14T08:30:00Z", "type": "34109-9"}
        return suite.ehr.post("/notes", json={**note, "text": text}).status_code

    begun = time.perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        codes = list(pool.map(send, range(count)))
    took = time.perf_counter() - begun
    if set(codes) != {201}:
        raise RuntimeError(f"notes were answered {sorted(set(codes))}")
    return count / took


@contextmanager
def orthanc(directory: Path) -> Iterator[Receiver]:
    """Debian's Orthanc with its DICOMweb plugin, empty, answering when an instance is on the disk."""
    directory.mkdir()
    dimse, web = free_port(), free_port()
    settings = {
        "StorageDirectory": str(directory),
        "IndexDirectory": str(directory),
        "DicomPort": dimse,
        "HttpPort": web,
        "DicomAet": "ORTHANC",
        "DicomAlwaysAllowStore": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "SyncStorageArea": True,
        "HttpThreadsCount": 50,
        "TcpNoDelay": True,
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    configuration = directory / "orthanc.json"
    configuration.write_text(json.dumps(settings))
    process = subprocess.Popen(["Orthanc", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{web}"
        until(lambda: _answers(f"{address}/system"), 60, "Orthanc to answer")
        yield Receiver("Orthanc", dimse, "ORTHANC", f"{address}/dicom-web", "", process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _ours(suite: RunningSuite) -> Receiver:
    token = suite.ehr.headers["Authorization"].removeprefix("Bearer ")
    return Receiver("Consilium", suite.dimse_port, "CONSILIUM", f"{suite.address}/dicomweb", token, suite.process.pid)


def _table(rates: dict[tuple[str, str], list[Round]], receivers: Sequence[str]) -> Table:
    ours, other = receivers
    title = "Instances a second: median (each round), and the receiver's processor time for each"
    table = Table("way", ours, other, "ratio", "MB/s", f"ms, {ours}", f"ms, {other}", title=title)
    for way in WAYS:
        both = rates[(way, ours)], rates[(way, other)]
        mine, theirs = ([one.instances_per_s for one in found] for found in both)
        cpu = [f"{statistics.median(one.cpu_ms for one in found):.1f}" for found in both]
        ratio = statistics.median(mine) / statistics.median(theirs)
        size = SIDE * SIDE * 2 / 1e6
        table.add_row(
            way, _figures(mine), _figures(theirs), f"{ratio:.2f}", f"{statistics.median(mine) * size:.0f}", *cpu
        )
    return table


def _figures(rates: Sequence[float]) -> str:
    return f"{statistics.median(rates):.0f} ({', '.join(f'{rate:.0f}' for rate in rates)})"


if __name__ == "__main__":
    main()
