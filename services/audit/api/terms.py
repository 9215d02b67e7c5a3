"""What an auditor asks by: in a URL by pseudonym, in a body also by the patient's own identifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.audit.consent_schemas import PatientId
from services.audit.domain.entries import EntryFilter
from services.audit.schemas import PLAIN
from shared.auditing import EventWriter
from shared.contracts.base import Moment, Wire

MAX_INDEX = 2**53
Term = Annotated[str | None, Field(max_length=200, pattern=PLAIN)]
IndexTerm = Annotated[int | None, Field(ge=0, le=MAX_INDEX)]


class EntryTerms(Wire):
    """Which entries. Times are those at which the acts occurred; `from` is in, `to` is out."""

    type: Term = None
    subtype: Term = None
    actor: Term = None
    subject_ref: Term = None
    object_id: Term = None
    producer: Term = None
    outcome: Literal["success", "refused", "failure"] | None = None
    purpose: Term = None
    model: Term = None
    """Digest of a model bundle, `sha256:…`."""
    occurred_from: Moment | None = Field(default=None, alias="from")
    occurred_to: Moment | None = Field(default=None, alias="to")
    first_index: IndexTerm = None
    last_index: IndexTerm = None

    def to_domain(self) -> EntryFilter:
        names = EntryFilter.__dataclass_fields__
        return EntryFilter(**{name: getattr(self, name) for name in names})


class PageQuery(Wire):
    """Which page of what was found."""

    order: Literal["newest", "oldest"] = "newest"
    limit: int = Field(default=100, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=400)


class EntryQuery(PageQuery, EntryTerms):
    """Query of `GET /audit/entries`."""


class PatientTerms(EntryTerms):
    """The same in a body, where the patient may stand under their own identifier: every proxy keeps URLs."""

    patient: PatientId | None = None
    """Instead of `subjectRef`."""

    @model_validator(mode="after")
    def _one_way(self) -> PatientTerms:
        if self.patient is not None and self.subject_ref is not None:
            raise ValueError("send patient or subjectRef, not both")
        return self

    def under_pseudonym(self, events: EventWriter) -> EntryFilter:
        """The terms as the log is asked by them."""
        wanted = self.to_domain()
        if self.patient is None:
            return wanted
        return replace(wanted, subject_ref=events.pseudonyms.patient(events.tenant, self.patient))


class EntrySearch(PatientTerms, EntryQuery):
    """Body of `POST /audit/entries/search`."""
