"""FHIR Consent (R4, as IHE Privacy Consent on FHIR shapes it) <-> consent as the audit service keeps it.

Whatever is not understood is refused: a consent of which one part was passed over would not be what the patient said.
Only what cannot change its meaning (category, performer, organization, identifier, narrative) is read over.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Set
from typing import Any

from services.ehr.fhir.reading import Json, instant, parse, patient_of, refuse
from services.ehr.fhir.vocabulary import ACT_REASONS, PARTICIPATION, ROLES
from shared.contracts.base import Modality, Purpose
from shared.digests import digest_bytes

SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
RECIPIENT = {"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}
CATEGORY = {"system": "http://loinc.org", "code": "59284-0", "display": "Patient Consent"}
CLASSES = {"ImagingStudy": Modality.IMAGE, "DocumentReference": Modality.NOTE, "Observation": Modality.VITALS}
ELEMENTS = {
    "patient": "Consent.patient",
    "purposes": "Consent.provision.purpose",
    "modalities": "Consent.provision.class",
    "period": "Consent.provision.period",
    "policyUri": "Consent.policy.uri",
    "exceptions": "Consent.provision.provision",
}
"""What the audit service calls its fields, as elements of the resource."""
_REFERENCES = {"Practitioner": "subject", "Patient": "subject", "RelatedPerson": "subject", "Device": "clientId"}
_PASSED_OVER = {"resourceType", "id", "meta", "language", "text", "identifier", "dateTime", "category", "performer"}
_READ = {"status", "scope", "patient", "policy", "sourceAttachment", "provision"}
_IN_PROVISION = {"id", "type", "period", "actor", "purpose", "class"}


def to_consent(body: object) -> Json:
    """Read an active Consent; gives the body of `POST /consents`.

    Raises: BadRequest, UnusableResource: `fields` names the element that is not understood.
    """
    resource = parse("Consent", body)
    _only("Consent", resource, _PASSED_OVER | _READ | {"organization"})
    if resource["status"] != "active":
        refuse(
            "Consent.status", "is not active", "send consents that stand; withdraw one by POST /consents/{id}/withdraw"
        )
    _check_scope(resource["scope"])
    provision = resource.get("provision") or refuse(
        "Consent.provision", "is missing", "send what is permitted or denied"
    )
    told = _provision("Consent.provision", provision, _IN_PROVISION | {"provision"})
    if not told["purposes"]:
        refuse("Consent.provision.purpose", "is missing", f"send one of {sorted(Purpose)} of {ACT_REASONS}")
    nested = provision.get("provision") or []
    exceptions = [_provision(f"Consent.provision.provision[{n}]", one, _IN_PROVISION) for n, one in enumerate(nested)]
    if any(one["decision"] == told["decision"] for one in exceptions):
        refuse("Consent.provision.provision", "decides as what it is an exception of", "send the opposite type")
    return {
        **told,
        "patient": patient_of(resource, "patient"),
        "modalities": told["modalities"] or list(Modality),
        "exceptions": exceptions,
        "policyUri": _policy_uri(resource.get("policy") or []),
        "sourceDigest": _source_digest(resource.get("sourceAttachment")),
    }


def _only(element: str, found: Json, understood: Set[str]) -> None:
    for name in sorted(found.keys() - understood):
        refuse(f"{element}.{name}", "is not understood, and a consent must not be read in part", "leave it out")


def _check_scope(scope: Json) -> None:
    codes = {coding.get("code") for coding in scope.get("coding") or [] if coding.get("system") == SCOPES}
    if not codes or not codes <= {"patient-privacy", "treatment", "research"}:
        refuse("Consent.scope", "is not understood", f"send patient-privacy, treatment or research of {SCOPES}")


def _provision(element: str, provision: Json, understood: Set[str]) -> Json:
    _only(element, provision, understood)
    if provision.get("type") not in ("permit", "deny"):
        refuse(f"{element}.type", "is missing", "send permit or deny")
    return {
        "decision": provision["type"],
        "purposes": [
            _code(f"{element}.purpose[{n}]", coding, ACT_REASONS, {str(p): str(p) for p in Purpose})
            for n, coding in enumerate(provision.get("purpose") or [])
        ],
        "modalities": [
            _code(f"{element}.class[{n}]", coding, RESOURCE_TYPES, {name: str(m) for name, m in CLASSES.items()})
            for n, coding in enumerate(provision.get("class") or [])
        ],
        "actors": [_actor(f"{element}.actor[{n}]", actor) for n, actor in enumerate(provision.get("actor") or [])],
        "period": _period(f"{element}.period", provision.get("period")),
    }


def _code(element: str, coding: Json, system: str, known: dict[str, str]) -> str:
    if coding.get("system") != system or coding.get("code") not in known:
        refuse(element, "is no code that is understood", f"send one of {sorted(known)} of {system}")
    return known[coding["code"]]


def _period(element: str, period: Json | None) -> Json | None:
    if period is None:
        return None
    _only(element, period, {"id", "start", "end"})
    return {name: instant(f"{element}.{name}", period[name]) for name in ("start", "end") if name in period}


def _actor(element: str, actor: Json) -> Json:
    _only(element, actor, {"id", "role", "reference"})
    codes = {(coding.get("system"), coding.get("code")) for coding in actor["role"].get("coding") or []}
    if codes != {(PARTICIPATION, "IRCP")}:
        refuse(f"{element}.role", "is not understood", f"send IRCP (information recipient) of {PARTICIPATION}")
    reference = actor["reference"]
    identifier = reference.get("identifier") or {}
    role = {"role": identifier["value"]} if identifier.get("system") == ROLES and identifier.get("value") else {}
    if role and "reference" not in reference:
        return role
    kind, _, name = str(reference.get("reference") or "").partition("/")
    if kind not in _REFERENCES or not name or "/" in name:
        fix = f"send Practitioner/<sub of the token>, Device/<client id>, or an identifier of system {ROLES}"
        refuse(f"{element}.reference", "names nobody whom a token could name", fix)
    return {**role, _REFERENCES[kind]: name}


def _policy_uri(policies: list[Json]) -> str | None:
    if len(policies) > 1:
        refuse("Consent.policy", "holds several policies", "send one Consent per policy")
    for policy in policies:
        _only("Consent.policy", policy, {"id", "authority", "uri"})
    return policies[0].get("uri") if policies else None


def _source_digest(attachment: Json | None) -> str | None:
    """Of the signed document; the document itself is not kept."""
    if attachment is None:
        return None
    try:
        content = base64.b64decode(attachment.get("data") or "", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        refuse("Consent.sourceAttachment.data", "holds no document", "send the document inline, in base64")
    return digest_bytes(content)


def from_consent(kept: Json) -> Json:
    """The Consent of a kept version; its id is the consent's."""
    stands = kept["status"] in ("active", "scheduled")
    policy = {"policy": [{"uri": kept["policyUri"]}]} if kept["policyUri"] else {}
    root = _provision_json(kept)
    nested = [_provision_json(exception) for exception in kept["exceptions"]]
    return {
        "resourceType": "Consent",
        "id": kept["id"],
        "meta": {"versionId": str(kept["version"]), "lastUpdated": kept["recordedAt"]},
        "status": "active" if stands else "inactive",
        "scope": {"coding": [{"system": SCOPES, "code": "patient-privacy"}]},
        "category": [{"coding": [CATEGORY]}],
        "patient": {"identifier": {"value": kept["patient"]}},
        "dateTime": kept["givenAt"],
        **policy,
        "provision": {**root, **({"provision": nested} if nested else {})},
    }


def _provision_json(told: Json) -> Json:
    names = {str(modality): name for name, modality in CLASSES.items()}
    period = {name: moment for name, moment in (told.get("period") or {}).items() if moment}
    parts: dict[str, Any] = {
        "period": period,
        "actor": [_actor_json(actor) for actor in told["actors"]],
        "purpose": [{"system": ACT_REASONS, "code": purpose} for purpose in told["purposes"]],
        "class": [{"system": RESOURCE_TYPES, "code": names[modality]} for modality in told["modalities"]],
    }
    return {"type": told["decision"], **{name: part for name, part in parts.items() if part}}


def _actor_json(actor: Json) -> Json:
    reference: Json = {}
    if actor["subject"] or actor["clientId"]:
        kind, name = ("Practitioner", actor["subject"]) if actor["subject"] else ("Device", actor["clientId"])
        reference["reference"] = f"{kind}/{name}"
    if actor["role"]:
        reference["identifier"] = {"system": ROLES, "value": actor["role"]}
    return {"role": {"coding": [RECIPIENT]}, "reference": reference}
