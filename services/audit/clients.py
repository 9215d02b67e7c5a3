"""Outbound calls: the diagnosis service, which must know of a narrower consent before anybody is told that it holds."""

from __future__ import annotations

import httpx

from services.audit.errors import BarrierNotReached
from shared.clients import service_client
from shared.contracts.diagnosis import ConsentFence
from shared.settings import CommonSettings


class ReleaseBarrier:
    """Fences off results that rest on an older epoch of a patient's consents."""

    def __init__(self, common: CommonSettings) -> None:
        self._http = service_client(common, common.diagnosis_url)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def raise_to(self, subject_ref: str, epoch: int) -> None:
        """Returns when no result of this patient can be released any more that was decided on before this epoch.

        Raises: BarrierNotReached: nobody knows. The consent stands in the log, and the same call may be repeated.
        """
        body = ConsentFence(subject_ref=subject_ref, epoch=epoch).model_dump_json(by_alias=True)
        kind = {"Content-Type": "application/json"}
        try:
            response = self._http.post("/internal/diagnosis/consent-fence", content=body, headers=kind)
        except httpx.HTTPError as error:
            raise _not_reached() from error
        if not response.is_success:
            raise _not_reached()


def _not_reached() -> BarrierNotReached:
    return BarrierNotReached(
        "The consent is recorded and every later decision sees it, but the diagnosis service could not be told: a "
        "result that was already decided on may still appear. Repeat the withdrawal until it answers 200.",
        headers={"Retry-After": "2"},
    )
