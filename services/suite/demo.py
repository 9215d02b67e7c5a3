"""The demo population: a few synthetic patients sent over the public contract, and a diagnosis asked for each."""

from __future__ import annotations

from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track

from services.suite.environment import DataDirectory
from shared.auth import Role
from shared.ids import uuid7

SEED = 11


def load(address: str, data_dir: Path, patients: int) -> None:
    """Send `patients` synthetic patients into a running suite and start their diagnoses.

    Raises: httpx.HTTPStatusError: the suite refuses something.
    """
    from services.diagnosis.ward.cli import send_patient
    from services.diagnosis.ward.generate import generate_patient

    console = Console()
    token = DataDirectory(data_dir).issuer.mint(Role.EHR_SYSTEM)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as http:
        for index in track(range(patients), "Admitting demo patients", console=console):
            patient = generate_patient(SEED, index)
            send_patient(http, patient)
            body = {"patient": patient.patient_id}
            http.post("/diagnoses", json=body, headers={"Idempotency-Key": f"demo-{uuid7()}"}).raise_for_status()
    console.print(f"{patients} demo patients are on the work-list at {address}/")
