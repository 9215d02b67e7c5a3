"""The seven services: which paths each answers, and how its app is made."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from fastapi import FastAPI

from shared.database import migrate
from shared.secret_files import from_environment


@dataclass(frozen=True)
class Service:
    """One service as the composition root sees it."""

    name: str
    prefixes: tuple[str, ...]
    """Path prefixes that belong to it; the review UI takes what nobody else takes."""
    has_database: bool = True

    def create_app(self) -> FastAPI:
        """Migrate the service's database and build its app from the `CONSILIUM_*` environment."""
        if self.has_database:
            url = from_environment(f"CONSILIUM_{self.name.upper()}_DATABASE_URL")
            if not url:
                raise ValueError(f"set CONSILIUM_{self.name.upper()}_DATABASE_URL, or _DATABASE_URL_FILE")
            migrate(url, self.name)
        app: FastAPI = importlib.import_module(f"services.{self.name}.app").create_app()
        return app


SERVICES = (
    Service("imaging", ("/dicomweb", "/research", "/internal/imaging")),
    Service("notes", ("/notes", "/internal/notes")),
    Service("vitals", ("/vitals", "/internal/vitals")),
    Service("diagnosis", ("/diagnoses", "/search", "/internal/diagnosis")),
    Service("audit", ("/audit", "/consents", "/erasures", "/holds", "/models", "/internal/audit")),
    Service("ehr", ("/fhir", "/cds-services", "/internal/ehr")),
    Service("review", (), has_database=False),
)


def service_named(name: str) -> Service:
    """The service of that name. Raises: KeyError."""
    return {service.name: service for service in SERVICES}[name]


def owner_of(path: str) -> Service:
    """The service that answers a path: the one with a prefix that is a whole first part of it, else review."""
    for service in SERVICES:
        if any(path == prefix or path.startswith(prefix + "/") for prefix in service.prefixes):
            return service
    return service_named("review")
