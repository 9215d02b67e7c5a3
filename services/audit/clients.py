"""Outbound calls: the diagnosis service, which must know of a narrower consent before anybody is told that it holds,
and all that keep patient data, which erase it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.audit.errors import BarrierNotReached
from shared.clients import answer_of, service_client
from shared.contracts.diagnosis import ConsentFence
from shared.contracts.erasure import ErasureIds, ErasureOrder, ErasureReceipt
from shared.errors import Unavailable
from shared.settings import CommonSettings

ERASING_TIMEOUT = httpx.Timeout(120.0, connect=2.0)
"""Years of a wearable are millions of rows. A service goes on when nobody waits any more, and says so the next time."""
M = TypeVar("M", bound=BaseModel)


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


class ErasingClients:
    """The services that keep patient data, each at its own address."""

    def __init__(self, common: CommonSettings, services: Iterable[str]) -> None:
        self._http = {name: service_client(common, getattr(common, f"{name}_url")) for name in services}
        for client in self._http.values():
            client.timeout = ERASING_TIMEOUT

    def erase(self, service: str, order: ErasureOrder) -> Mapping[str, int]:
        """How many of which store one service has erased. Raises: Unavailable, NotFound: it has not, so far."""
        return self._ask(service, "", order, ErasureReceipt).stores

    def unknown(self, service: str, ids: list[str]) -> list[str]:
        """Which of these erasures one service never carried out. Raises: Unavailable, NotFound."""
        return self._ask(service, "/unknown", ErasureIds(ids=ids), ErasureIds).ids

    def close(self) -> None:
        """Close the connections."""
        for client in self._http.values():
            client.close()

    def _ask(self, service: str, path: str, body: BaseModel, answer: type[M]) -> M:
        content, kind = body.model_dump_json(by_alias=True), {"Content-Type": "application/json"}
        try:
            response = self._http[service].post(f"/internal/{service}/erasures{path}", content=content, headers=kind)
            return answer.model_validate(answer_of(service, response))
        except (httpx.HTTPError, ValidationError, ValueError) as error:
            raise Unavailable(f"The {service} service is not answering.") from error
