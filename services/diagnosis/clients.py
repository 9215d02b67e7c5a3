"""Outbound calls: the ingest services for evidence, the audit service for consent."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.diagnosis.errors import EvidenceChanged, EvidenceGone
from services.diagnosis.snapshot import Evidence
from shared.auditing import actor_of
from shared.auth import Principal
from shared.certificates import authorities
from shared.clients import TIMEOUT, ServiceAuth, answer_of, consent_unknown, service_client
from shared.contracts.audit import ConsentAnswer, ConsentQuestion, IngestFeed
from shared.contracts.base import Modality, Purpose
from shared.contracts.evidence import EvidenceList, EvidenceQuestion, NoteContent, RenderedImage, VitalsWindow
from shared.errors import NotFound, Unavailable
from shared.settings import CommonSettings

SERVICE_OF = {Modality.IMAGE: "imaging", Modality.NOTE: "notes", Modality.VITALS: "vitals"}
Content = RenderedImage | NoteContent | VitalsWindow
CONTENT_OF: dict[Modality, type[RenderedImage] | type[NoteContent] | type[VitalsWindow]] = {
    Modality.IMAGE: RenderedImage,
    Modality.NOTE: NoteContent,
    Modality.VITALS: VitalsWindow,
}
M = TypeVar("M", bound=BaseModel)


def urls_of(settings: CommonSettings) -> dict[Modality, str]:
    """Where each modality's service is."""
    return {
        Modality.IMAGE: settings.imaging_url,
        Modality.NOTE: settings.notes_url,
        Modality.VITALS: settings.vitals_url,
    }


class Neighbours:
    """The ingest services and the audit service, asked without holding a thread.

    In the embedded suite the questions go to the very process that asks: a thread that waited for the answer
    could be the one that the answer needs.
    """

    def __init__(self, settings: CommonSettings) -> None:
        self._http = httpx.AsyncClient(
            auth=ServiceAuth(settings), timeout=TIMEOUT, verify=authorities(), trust_env=False
        )
        self._urls, self._audit_url = urls_of(settings), settings.audit_url

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def evidence(self, kind: Modality, patient: str, as_of: datetime | None) -> EvidenceList:
        """What one service knows of a patient up to a time (None: any time). Raises: Unavailable."""
        service, question = SERVICE_OF[kind], EvidenceQuestion(patient=patient, as_of=as_of)
        return await self._ask(service, f"{self._urls[kind]}/internal/{service}/evidence", question, EvidenceList)

    async def all_evidence(self, patient: str, as_of: datetime | None) -> dict[Modality, EvidenceList]:
        """What all services know, asked at once. Raises: Unavailable: one of them does not answer."""
        lists = await asyncio.gather(*(self.evidence(kind, patient, as_of) for kind in Modality))
        return dict(zip(Modality, lists, strict=True))

    async def decide(
        self, patient: str, modalities: tuple[Modality, ...], purpose: Purpose, requester: Principal
    ) -> ConsentAnswer:
        """Which modalities may be used for this purpose now. Raises: ConsentUnknown: then none may."""
        question = ConsentQuestion(
            patient=patient, purpose=purpose, modalities=list(modalities), actor=actor_of(requester)
        )
        url = f"{self._audit_url}/internal/audit/consent/decide"
        try:
            return await self._ask("audit", url, question, ConsentAnswer)
        except Unavailable as error:
            raise consent_unknown() from error

    async def ingests(self, begin: int | None) -> IngestFeed:
        """What came since, as the log tells of it; None: only where it ends. Raises: Unavailable."""
        url = f"{self._audit_url}/internal/audit/ingests"
        parameters = {} if begin is None else {"begin": begin}
        return await self._answer("audit", self._http.build_request("GET", url, params=parameters), IngestFeed)

    async def _ask(self, service: str, url: str, question: BaseModel, answer: type[M]) -> M:
        body, headers = question.model_dump_json(by_alias=True), {"Content-Type": "application/json"}
        return await self._answer(service, self._http.build_request("POST", url, content=body, headers=headers), answer)

    async def _answer(self, service: str, request: httpx.Request, answer: type[M]) -> M:
        try:
            try:
                response = await self._http.send(request)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A kept connection that the other side closed just now; questions change nothing, so ask again.
                response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise Unavailable(f"The {service} service is not answering; nothing was stored.") from error
        return _parse(service, response, answer)


class ContentClient:
    """Fetches the contents that a manifest names, several at once, and checks that they are the frozen ones."""

    def __init__(self, settings: CommonSettings) -> None:
        self._clients = {kind: service_client(settings, url) for kind, url in urls_of(settings).items()}
        self._pool = ThreadPoolExecutor(max_workers=6, thread_name_prefix="fetch")

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown(cancel_futures=True)
        for client in self._clients.values():
            client.close()

    def fetch_all(self, evidence: tuple[Evidence, ...]) -> list[Content]:
        """The contents, in order.

        Raises: Unavailable: a service does not answer. EvidenceGone, EvidenceChanged: the case can never be computed.
        """
        return list(self._pool.map(self.fetch, evidence))

    def fetch(self, item: Evidence) -> Content:
        """One piece of content."""
        service = SERVICE_OF[item.kind]
        try:
            response = self._clients[item.kind].get(f"/internal/{service}/evidence/{item.id}")
            content = _parse(service, response, CONTENT_OF[item.kind])
        except httpx.HTTPError as error:
            raise Unavailable(f"The {service} service is not answering.") from error
        except NotFound as error:
            raise EvidenceGone(f"A piece of {item.kind} evidence of this case is no longer there.") from error
        if content.digest != item.digest:
            raise EvidenceChanged(f"A piece of {item.kind} evidence is not what the case froze.")
        return content


def _parse(service: str, response: httpx.Response, answer: type[M]) -> M:
    try:
        return answer.model_validate(answer_of(service, response))
    except (ValidationError, ValueError) as error:
        # The words of a validation error quote the value, which may be patient data.
        raise Unavailable(f"The {service} service answered something unreadable.") from error
