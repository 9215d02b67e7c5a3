"""The public contract as a document, without a running suite."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from services.suite.environment import DataDirectory, Ports, common_environment, sqlite_urls
from services.suite.openapi import merge
from services.suite.services import SERVICES


def document() -> dict[str, Any]:
    """The merged OpenAPI document of all services, built in a throw-away directory."""
    with tempfile.TemporaryDirectory() as directory:
        data = DataDirectory(Path(directory))
        data.prepare()
        urls = {service.name: "http://127.0.0.1:8080" for service in SERVICES}
        os.environ |= common_environment(
            data, "redis://127.0.0.1:6379/0", "http://127.0.0.1:8080", urls, Ports(0)
        ) | sqlite_urls(data)
        return merge({service.name: service.create_app().openapi() for service in SERVICES})
