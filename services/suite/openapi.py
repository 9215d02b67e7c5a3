"""One OpenAPI document for the whole suite, merged from those of the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPERATIONS = ("/healthz", "/readyz", "/metrics")
"""Every service has these; the suite answers them once for all."""


def merge(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the services' OpenAPI documents into one.

    Internal paths are left out: they are no contract. Raises: ValueError: two services define one path, or one schema
    name differently.
    """
    paths: dict[str, Any] = {}
    responses: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    security: dict[str, Any] = {}
    for service, document in documents.items():
        for path, item in document.get("paths", {}).items():
            if path.startswith("/internal/") or (path in OPERATIONS and path in paths):
                continue
            if path in paths:
                raise ValueError(f"{path} is defined by {service} and by another service")
            paths[path] = item
        components = document.get("components", {})
        # Those of `shared.openapi`, the same in every service.
        responses.update(components.get("responses", {}))
        security.update(components.get("securitySchemes", {}))
        for name, schema in components.get("schemas", {}).items():
            if schemas.setdefault(name, schema) != schema:
                raise ValueError(f"schema {name} of {service} differs from another service's schema of that name")
    merged: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Consilium", "version": "0.1.0", "description": DESCRIPTION, "license": LICENSE},
        "paths": dict(sorted(paths.items())),
        "components": {"responses": dict(sorted(responses.items())), "schemas": dict(sorted(schemas.items()))},
    }
    merged["components"]["securitySchemes"] = {
        **security,
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    merged["security"] = [{"bearer": []}]
    return merged


LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
DESCRIPTION = (
    "Clinical decision support that fuses radiographs, notes and wearable vitals. It advises, never acts; not a "
    "medical device. Errors are RFC 9457 problem documents; times are RFC 3339 with a zone."
)
