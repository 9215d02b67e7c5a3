"""What the routes of the facade share: what is accepted, forms, ids, and the address that resources name."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Path, Request

from services.ehr.fhir.search import Pairs
from shared.errors import BadRequest, NotAcceptable, TooLarge, UnsupportedMediaType
from shared.openapi import refusals

JSON_TYPES = ("application/fhir+json", "application/json")
FORM = "application/x-www-form-urlencoded"
FhirId = Annotated[str, Path(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]


def check_accept(request: Request) -> None:
    """FastAPI dependency. Raises: NotAcceptable: the caller wants XML or the like only."""
    wanted = request.query_params.get("_format") or request.headers.get("accept") or "*/*"
    kinds = {part.partition(";")[0].strip().lower() for part in wanted.split(",")}
    if kinds.isdisjoint({*JSON_TYPES, "json", "text/json", "*/*", "application/*"}):
        raise NotAcceptable("This server speaks FHIR in JSON only: accept application/fhir+json.")


def check_content(request: Request) -> None:
    """FastAPI dependency. Raises: UnsupportedMediaType: not declared as JSON. BadRequest: a conditional create."""
    if "if-none-exist" in request.headers:
        raise BadRequest(
            "Conditional create is not offered; leave If-None-Exist out (the same content is stored once)."
        )
    if _content_type(request) not in JSON_TYPES:
        raise UnsupportedMediaType("Send the resource as application/fhir+json.")


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def form_of(request: Request) -> Pairs:
    """FastAPI dependency: search parameters in the body. Raises: UnsupportedMediaType: they are no form."""
    if _content_type(request) != FORM:
        raise UnsupportedMediaType(f"Send the search parameters as {FORM}.")
    return parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)


def base_url_of(request: Request) -> str:
    """FastAPI dependency: the FHIR base under which callers reach us."""
    public_url: str = request.app.state.runtime.common.public_url
    return public_url.rstrip("/") + "/fhir"


FormDep = Annotated[Pairs, Depends(form_of)]
BaseUrlDep = Annotated[str, Depends(base_url_of)]
SEARCHED_BY_FORM = refusals(BadRequest, TooLarge, UnsupportedMediaType)
