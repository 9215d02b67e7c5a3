"""Puts the shipped bundle into the model registry, so that the log says from the first day which model answered."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx

from services.diagnosis.bundle.manifest import read_card, read_identity

PACKAGED_BUNDLE = Path(__file__).resolve().parents[1] / "diagnosis" / "bundles" / "demo"


def register_bundle(address: str, token: str) -> None:
    """Register the bundle that the workers load, and make it active if no model is.

    Raises: httpx.HTTPStatusError: the registry refuses it.
    """
    directory = Path(os.environ.get("CONSILIUM_DIAGNOSIS_BUNDLE_DIR", PACKAGED_BUNDLE))
    identity = read_identity(directory)
    body = {
        "name": identity.name,
        "version": identity.version,
        "digest": identity.digest,
        "card": json.loads(json.dumps(read_card(directory))),
    }
    with httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
    ) as http:
        registered = http.post("/models", json=body).raise_for_status().json()
        models = http.get("/models").raise_for_status().json()["items"]
        if not any(model["stage"] == "active" for model in models):
            http.post(f"/models/{registered['id']}/promote", json={"stage": "active"}).raise_for_status()
