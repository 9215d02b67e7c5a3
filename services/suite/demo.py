"""The demo population: a few synthetic patients of today, sent over the public contract, and a diagnosis asked for
each."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import track

from services.diagnosis.ward.admit import connect
from services.diagnosis.ward.export import Order, records
from services.suite.environment import DataDirectory
from shared.auth import Role


def load(address: str, data_dir: Path, patients: int) -> None:
    """Send `patients` synthetic patients into a running suite and start their diagnoses.

    They are the same ones all day long, so that loading them twice changes nothing.

    Raises: AdmissionRefused, httpx.HTTPError: the suite refuses something, or does not answer.
    """
    console = Console()
    admissions = connect(address, DataDirectory(data_dir).issuer.mint(Role.EHR_SYSTEM))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    order = Order(today.toordinal(), patients, today, spread_h=0.0, processes=1)
    for record in track(records(order), "Admitting demo patients", patients, console=console):
        admissions.admit(record)
        body, key = {"patient": record.patient_id}, {"Idempotency-Key": f"demo-{record.patient_id}"}
        admissions.client.post("/diagnoses", json=body, headers=key).raise_for_status()
    console.print(f"{patients} demo patients are on the work-list at {address}/")
