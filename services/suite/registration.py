"""Puts the shipped bundle into the model registry, so that the log says from the first day which model answered."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx

from services.diagnosis.bundle.layout import CARD
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.verification import verify_bundle


def bundle_directory() -> Path:
    """Where the bundle lies that the workers load."""
    return Path(os.environ.get("CONSILIUM_DIAGNOSIS_BUNDLE_DIR", DEMO_BUNDLE))


def register_bundle(address: str, token: str) -> None:
    """Register the bundle that the workers load, and make it active if no model is.

    Args: token: of the role `admin`.
    Raises: httpx.HTTPStatusError: the registry refuses it; BundleError: nobody trusted vouches for the bundle.
    """
    directory = bundle_directory()
    identity = verify_bundle(directory).identity
    card = json.loads((directory / CARD).read_text())
    body = {"name": identity.name, "version": identity.version, "digest": identity.digest, "card": card}
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as http:
        registered = http.post("/models", json=body).raise_for_status().json()
        models = http.get("/models").raise_for_status().json()["items"]
        if not any(model["stage"] == "active" for model in models):
            http.post(f"/models/{registered['id']}/promote", json={"stage": "active"}).raise_for_status()
