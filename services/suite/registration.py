"""Tells the model registry of the bundle that the workers load, so that the log says which model answered."""

from __future__ import annotations

import os
from pathlib import Path

from services.diagnosis.bundle.evidence import describe
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.registry import RegistryClient
from shared.settings import CommonSettings


def bundle_directory() -> Path:
    """Where the bundle lies that the workers load."""
    return Path(os.environ.get("CONSILIUM_DIAGNOSIS_BUNDLE_DIR", DEMO_BUNDLE))


def register_bundle(address: str, service_token_file: Path) -> None:
    """Register the bundle that the workers load, and make it active where the suite permits that.

    Raises: Unavailable: the registry refuses it; BundleError: nobody trusted vouches for the bundle.
    """
    registry = RegistryClient(CommonSettings(audit_url=address, service_token_file=service_token_file))
    try:
        registry.activate_locally(registry.announce(describe(bundle_directory())))
    finally:
        registry.close()
