"""What this service's routes work with, beside what all services share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.ehr.attachment_client import AttachmentClient
from services.ehr.clients import Caller, ConsentClient, NotesClient, ResultsClient, VitalsClient
from services.ehr.log_client import LogClient
from services.ehr.settings import EhrSettings
from services.ehr.usecases import Visit
from shared.settings import CommonSettings
from shared.web import PrincipalDep, RequestIdDep


@dataclass(frozen=True)
class Neighbours:
    """The services behind the door."""

    notes: NotesClient
    vitals: VitalsClient
    results: ResultsClient
    attachments: AttachmentClient
    consents: ConsentClient
    log: LogClient

    @classmethod
    def of(cls, common: CommonSettings, settings: EhrSettings) -> Neighbours:
        """Those that the settings name."""
        return cls(
            NotesClient(common),
            VitalsClient(common),
            ResultsClient(common),
            AttachmentClient(settings),
            ConsentClient(common),
            LogClient(common),
        )

    def close(self) -> None:
        """Close all connections."""
        for client in (self.notes, self.vitals, self.results, self.attachments, self.consents, self.log):
            client.close()


def neighbours_of(request: Request) -> Neighbours:
    """FastAPI dependency: the clients of this app."""
    neighbours: Neighbours = request.app.state.neighbours
    return neighbours


def visit_of(request: Request, principal: PrincipalDep, request_id: RequestIdDep) -> Visit:
    """FastAPI dependency: who stands at the door."""
    return Visit(principal, Caller(request.headers["authorization"], request_id))


NeighboursDep = Annotated[Neighbours, Depends(neighbours_of)]
VisitDep = Annotated[Visit, Depends(visit_of)]
