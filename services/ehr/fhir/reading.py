"""Small readings that several incoming FHIR resources share: structure, patient, codes, times.

Errors name the element as a FHIRPath expression and how to mend it, never the value: that may be patient data.
"""

from __future__ import annotations

import importlib
import re
from datetime import datetime
from typing import Any, NoReturn

from pydantic import ValidationError

from services.ehr.errors import UnusableResource
from shared.codes import LOINC
from shared.errors import BadRequest, FieldProblem

_PATIENT_REFERENCE = re.compile(r"(?:https?://[^?#]+/)?Patient/([A-Za-z0-9\-.]{1,64})")
_WITH_ZONE = "send an instant with a zone, such as 2026-01-31T08:00:00Z"
_QUOTING = frozenset({"value_error", "assertion_error", "fhir-validation-wrong-resource-type"})
"""Kinds of complaint whose message may quote what was sent."""

Json = dict[str, Any]


def refuse(element: str, problem: str, fix: str) -> NoReturn:
    """Say that a well-formed resource cannot be used. Raises: UnusableResource."""
    raise UnusableResource(f"{element}: {problem}.", fields=[FieldProblem(element, problem, fix)])


def parse(resource_type: str, body: Any) -> Json:
    """Check a body against the structure of R4's resource type; gives it back as it came.

    Raises: BadRequest: not a resource of that type. UnusableResource: an element breaks the structure.
    """
    if not isinstance(body, dict) or body.get("resourceType") != resource_type:
        raise BadRequest(
            f"The body is not a FHIR {resource_type}.",
            fields=[FieldProblem("resourceType", "another type or none", f"send a {resource_type} resource as JSON")],
        )
    try:
        _model(resource_type).model_validate(body)
    except ValidationError as error:
        fields = [_complaint(resource_type, dict(item)) for item in error.errors()]
        raise UnusableResource(f"The {resource_type} does not have the form of FHIR R4.", fields=fields) from None
    return body


def _model(resource_type: str) -> Any:
    # Imported at the first use: the package takes a fifth of a second, which start-up should not.
    module = importlib.import_module(f"fhir.resources.R4B.{resource_type.lower()}")
    return getattr(module, resource_type)


def _complaint(resource_type: str, item: Json) -> FieldProblem:
    path = resource_type
    for part in item["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    problem = "not of the form that FHIR R4 gives this element" if item["type"] in _QUOTING else str(item["msg"])
    return FieldProblem(path, problem, "see https://hl7.org/fhir/R4/" + resource_type.lower() + ".html")


def patient_of(resource: Json, name: str = "subject") -> str:
    """The patient identifier: `subject.identifier.value`, else the id in a `Patient/x` reference."""
    element = f"{resource['resourceType']}.{name}"
    subject = resource.get(name) or {}
    identifier = (subject.get("identifier") or {}).get("value")
    if identifier:
        return str(identifier)
    match = _PATIENT_REFERENCE.fullmatch(subject.get("reference") or "")
    if match is None:
        refuse(element, "names no patient", f"send {name}.identifier.value, or {name}.reference as Patient/<id>")
    return match.group(1)


def loinc_codes(concept: Json | None) -> list[str]:
    """The LOINC codes of a CodeableConcept, in its order."""
    codings = (concept or {}).get("coding") or []
    return [str(c["code"]) for c in codings if c.get("system") == LOINC and c.get("code")]


def instant(element: str, text: Any) -> str:
    """A FHIR dateTime that says its time and zone. Raises: UnusableResource: absent, or a day, month or year only."""
    if not text:
        refuse(element, "is missing", _WITH_ZONE)
    if not isinstance(text, str):
        # The structure lets numbers pass as seconds since 1970, which FHIR does not know.
        refuse(element, "is no text", _WITH_ZONE)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse(element, "is not a full date and time", _WITH_ZONE)
    if moment.tzinfo is None or "T" not in text:
        refuse(element, "has no time of day or no zone", _WITH_ZONE)
    return text
