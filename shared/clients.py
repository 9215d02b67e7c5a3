"""Outbound calls that every service makes: to the audit service, with the suite's own token and a timeout."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import httpx
from pydantic import BaseModel

from shared.auth import read_service_token
from shared.certificates import authorities
from shared.contracts.audit import (
    AuditEvent,
    BatchReceipt,
    ConsentAnswer,
    ConsentQuestion,
    EventBatch,
    Sequenced,
    StoringWords,
)
from shared.errors import ConsentUnknown, NotFound, Unavailable
from shared.settings import CommonSettings

TIMEOUT = httpx.Timeout(10.0, connect=2.0)


class ServiceAuth(httpx.Auth):
    """Adds the service token, read anew for each request because it is rotated."""

    def __init__(self, settings: CommonSettings) -> None:
        self._settings = settings

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {read_service_token(self._settings)}"
        yield request


def service_client(settings: CommonSettings, base_url: str) -> httpx.Client:
    """An HTTP client for calling a neighbour with the suite's own token; reuse it, and close it with the app."""
    return neighbour_client(base_url, ServiceAuth(settings))


def neighbour_client(base_url: str, auth: httpx.Auth | None = None) -> httpx.Client:
    """The same with the token that each call brings along, where there is no `auth`."""
    return httpx.Client(base_url=base_url, auth=auth, timeout=TIMEOUT, verify=authorities(), trust_env=False)


REFUSED = (409, 413, 422)
"""Answers to events that will not change by themselves."""


def answer_of(service: str, response: httpx.Response) -> Any:
    """The JSON of a neighbour's 2xx answer.

    Raises: NotFound: it answered 404. Unavailable: it answered anything else; its words are not passed on.
    """
    if response.status_code == 404:
        raise NotFound(f"The {service} service does not have this.")
    if not response.is_success:
        raise Unavailable(f"The {service} service answered {response.status_code}.")
    return response.json()


def consent_unknown() -> ConsentUnknown:
    """The refusal of whatever needs a consent while the audit service does not answer."""
    detail = "Nothing was done: the consents of this patient cannot be asked for just now."
    return ConsentUnknown(detail, headers={"Retry-After": "2"})


class EventsRefused(Unavailable):
    """The audit service does not take these events as they are; sent again, they would be refused again."""


class AuditClient:
    """The audit service, as the other services use it."""

    def __init__(self, settings: CommonSettings) -> None:
        self._http = service_client(settings, settings.audit_url)

    def append(self, events: Sequence[AuditEvent]) -> list[Sequenced]:
        """Put events into the log; returns when they are durable and covered by a signed checkpoint.

        Raises: Unavailable: they may or may not have arrived; sending them again is safe. EventsRefused: one of them
            cannot be put into the log.
        """
        response = self._send("POST", "/internal/audit/events", **_json(EventBatch(events=list(events))))
        if response.status_code in REFUSED:
            raise EventsRefused(f"The audit service refused an event ({response.status_code}).")
        return BatchReceipt.model_validate(answer_of("audit", response)).sequenced

    def holds(self, event: AuditEvent, index: int | None, leaf_hash: str | None) -> bool:
        """Whether the log holds this very event, at this index.

        It is sent again: the same event keeps its place, and another one under its id is refused, which the log
        records. Raises: Unavailable.
        """
        response = self._send("POST", "/internal/audit/events", **_json(EventBatch(events=[event])))
        if response.status_code == 409:
            return False
        (placed,) = BatchReceipt.model_validate(answer_of("audit", response)).sequenced
        return (placed.index, placed.leaf_hash) == (index, leaf_hash)

    def decide(self, question: ConsentQuestion) -> ConsentAnswer:
        """Which modalities of this patient may be used for this purpose now. Raises: ConsentUnknown: then none may."""
        try:
            answer = self._ask("POST", "/internal/audit/consent/decide", **_json(question))
        except (Unavailable, NotFound) as error:
            raise consent_unknown() from error
        return ConsentAnswer.model_validate(answer)

    def storing_words(self) -> StoringWords:
        """Whose consents say anything of storing. Raises: ConsentUnknown."""
        try:
            return StoringWords.model_validate(self._ask("GET", "/internal/audit/consent/storing"))
        except (Unavailable, NotFound) as error:
            raise consent_unknown() from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        return answer_of("audit", self._send(method, path, **request))

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise Unavailable("The audit service is not answering.") from error


def _json(body: BaseModel) -> dict[str, Any]:
    return {"content": body.model_dump_json(by_alias=True), "headers": {"Content-Type": "application/json"}}
