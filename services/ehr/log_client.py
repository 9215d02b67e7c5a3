"""The audit service's log, as the caller may ask it: in their own name, so that the log says who asked."""

from __future__ import annotations

from typing import Any

from services.ehr.clients import Caller, ask
from shared.clients import neighbour_client
from shared.settings import CommonSettings


class LogClient:
    """Entries of the log. Patients are pseudonyms here, in URLs too."""

    def __init__(self, settings: CommonSettings) -> None:
        self._http = neighbour_client(settings.audit_url)

    def find(self, caller: Caller, terms: dict[str, Any], limit: int) -> list[dict[str, Any]]:
        """At most `limit` entries that match the terms of `GET /audit/entries`, newest first."""
        answer = ask(self._http, "audit", "GET", "/audit/entries", caller, params={**terms, "limit": limit})
        items: list[dict[str, Any]] = answer["items"]
        return items

    def read(self, caller: Caller, index: int) -> dict[str, Any]:
        """One entry. Raises: NotFound."""
        return ask(self._http, "audit", "GET", f"/audit/entries/{index}", caller)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
