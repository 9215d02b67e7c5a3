"""Which form of a card a client wants, and the card in it."""

from __future__ import annotations

import json
from enum import StrEnum

from services.audit.cards import chai, fhir, html
from services.audit.cards.content import CardContent


class CardForm(StrEnum):
    """The forms that a card is given out in."""

    JSON = "json"
    HTML = "html"
    CHAI = "chai"
    FHIR = "fhir"


# What is not among these gets JSON, as everybody did before there were other forms.
_BY_MEDIA_TYPE = {
    html.MEDIA_TYPE: CardForm.HTML,
    "application/xml": CardForm.CHAI,
    "text/xml": CardForm.CHAI,
    fhir.MEDIA_TYPE: CardForm.FHIR,
}


def form_of(accept: str) -> CardForm:
    """The first media type of an Accept header that there is a form for."""
    wanted = (part.split(";")[0].strip().lower() for part in accept.split(","))
    return next((_BY_MEDIA_TYPE[one] for one in wanted if one in _BY_MEDIA_TYPE), CardForm.JSON)


def card_as(form: CardForm, content: CardContent) -> tuple[bytes, str]:
    """The card, and its media type."""
    if form is CardForm.HTML:
        return html.page(content).encode(), html.MEDIA_TYPE
    if form is CardForm.CHAI:
        return chai.applied_model_card(content), chai.MEDIA_TYPE
    if form is CardForm.FHIR:
        return json.dumps(fhir.document_reference(content), ensure_ascii=False).encode(), fhir.MEDIA_TYPE
    return json.dumps(content.bundle.card, ensure_ascii=False).encode(), "application/json"
