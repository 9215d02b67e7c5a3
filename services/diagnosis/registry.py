"""The model registry of the audit service, as workers and the command line use it."""

from __future__ import annotations

from typing import Any

import httpx
import structlog

from services.diagnosis.bundle.evidence import Announcement
from services.diagnosis.errors import NotRegistered
from shared.clients import answer_of, service_client
from shared.contracts.models import Serving
from shared.errors import Unavailable
from shared.settings import CommonSettings

log = structlog.get_logger(__name__)


class RegistryClient:
    """Tells the registry of bundles, and asks which of them answer."""

    def __init__(self, settings: CommonSettings) -> None:
        self._http = service_client(settings, settings.audit_url)

    def serving(self) -> Serving:
        """Which bundles answer now. Raises: Unavailable."""
        return Serving.model_validate(answer_of("audit", self._send("GET", "/internal/audit/models/serving")))

    def announce(self, found: Announcement) -> str:
        """Register a bundle, with its signature and the evaluation of its card; its id. The same again changes nothing.

        Raises: Unavailable: the registry does not answer. NotRegistered: it refuses the bundle.
        """
        identity = found.identity
        body = {"name": identity.name, "version": identity.version, "digest": identity.digest, "card": found.card}
        registered = self._send("POST", "/models", json=body)
        if registered.status_code in (409, 422):
            raise NotRegistered(str(registered.json().get("detail")))
        model_id = str(answer_of("audit", registered)["id"])
        signature = {"bundleDigest": identity.digest, "keyId": found.key_id, "result": "verified"}
        answer_of("audit", self._send("POST", f"/models/{model_id}/signature", json=signature))
        if found.evaluation is not None:
            answer_of("audit", self._send("POST", f"/models/{model_id}/evaluations", json=found.evaluation))
        return model_id

    def activate_locally(self, model_id: str) -> bool:
        """Make the bundle active that this suite came with; False where it needs the approval of people.

        Raises: Unavailable.
        """
        response = self._send("POST", f"/models/{model_id}/local-activation")
        if response.status_code == 409:
            log.info("a bundle is not activated locally", model=model_id, problem=str(response.json().get("type")))
            return False
        answer_of("audit", response)
        return True

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise Unavailable("The model registry is not answering.") from error
