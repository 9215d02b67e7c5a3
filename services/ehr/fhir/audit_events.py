"""An entry of the log as AuditEvent (R4), shaped as IHE Basic Audit Log Patterns shape reads and queries.

No profile is claimed: they ask for the client's network address and the raw query, which the log holds on purpose of
nobody. The patient is the pseudonym: the log knows no identifier.
"""

from __future__ import annotations

import json
from typing import Any

from services.ehr.fhir.reading import Json
from services.ehr.fhir.vocabulary import ACT_REASONS, AI_ASSERTED, PARTICIPATION, ROLES

EVENT_TYPES = "http://terminology.hl7.org/CodeSystem/audit-event-type"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
INTERACTIONS = "http://hl7.org/fhir/restful-interaction"
OUTCOMES = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"
ENTITY_TYPES = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ENTITY_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
BALP_ENTITIES = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
OWN_TYPES, OWN_SUBTYPES = "urn:consilium:audit-type", "urn:consilium:audit-subtype"
SUBJECT_REF, PRODUCER, CLIENT = "urn:consilium:subject-ref", "urn:consilium:service", "urn:consilium:client"
LEAF_HASH = "leafHash"

REST = {"system": EVENT_TYPES, "code": "rest", "display": "Restful Operation"}
IMPORT = {"system": DCM, "code": "110107", "display": "Import"}
ALERT = {"system": DCM, "code": "110113", "display": "Security Alert"}
ACTIVITY = {"system": DCM, "code": "110100", "display": "Application Activity"}
TYPES = {
    "read": REST, "query": REST, "delivery": REST, "ingest": IMPORT, "access-denied": ALERT, "break-glass": ALERT,
    "integrity": ALERT, "outbox": ALERT, "prediction": ACTIVITY, "feedback": ACTIVITY, "consent": ACTIVITY,
    "model": ACTIVITY,
}  # fmt: skip
"""The log's types as R4's; those that are not here are `ACTIVITY` too."""
OUTCOME_CODES = {"success": "0", "refused": "4", "failure": "8"}
_SOURCE = {"system": DCM, "code": "110153", "display": "Source Role ID"}
_DESTINATION = {"system": DCM, "code": "110152", "display": "Destination Role ID"}
_USER = {"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}
_LISTS = ("diagnoses", "ids", "instances", "cards")


def audit_event(entry: Json, base_url: str) -> Json:
    """The AuditEvent of one entry; its id is the entry's index."""
    leaf = entry["leaf"]
    event: Json = leaf["event"]
    made: Json = {
        "resourceType": "AuditEvent",
        "id": str(entry["index"]),
        "meta": {"lastUpdated": leaf["receivedAt"]},
        "type": TYPES.get(event["type"], ACTIVITY),
        "subtype": _subtypes(event),
        "action": event["action"],
        "recorded": event["occurredAt"],
        "outcome": OUTCOME_CODES[event["outcome"]],
        "outcomeDesc": event.get("outcomeReason"),
        "purposeOfEvent": _purpose(event),
        "agent": _agents(event, base_url),
        "source": _source(event),
        "entity": _entities(entry, event),
    }
    return {name: value for name, value in made.items() if value}


def _subtypes(event: Json) -> list[Json]:
    own = [{"system": OWN_TYPES, "code": event["type"]}, {"system": OWN_SUBTYPES, "code": event["subtype"]}]
    if TYPES.get(event["type"]) is not REST:
        return own
    interaction = {"C": "create", "U": "update", "D": "delete"}.get(event["action"]) or _looked(event)
    return [{"system": INTERACTIONS, "code": interaction}, *own]


def _looked(event: Json) -> str:
    return "read" if (event.get("object") or {}).get("id") else "search"


def _purpose(event: Json) -> list[Json]:
    code = event.get("purposeOfUse")
    return [{"coding": [{"system": ACT_REASONS, "code": code}]}] if code else []


def _agents(event: Json, base_url: str) -> list[Json]:
    """The user, the client and the server. In a search what flows is the question: from the client to the server."""
    actor = event["actor"]
    client, server = (_SOURCE, _DESTINATION) if _looked(event) == "search" else (_DESTINATION, _SOURCE)
    user: Json = {
        "type": {"coding": [_USER]},
        "role": [{"coding": [{"system": ROLES, "code": actor["role"]}]}],
        "who": {"identifier": {"system": actor["issuer"], "value": actor["subject"]}},
        "requestor": True,
        "purposeOfUse": _purpose(event),
        "policy": [f"urn:consilium:jti:{actor['jti']}"] if actor.get("jti") else [],
    }
    through = actor.get("clientId")
    return [
        {name: value for name, value in user.items() if value != []},
        {
            "type": {"coding": [client]},
            "who": {"identifier": {"system": CLIENT, "value": through}} if through else {"display": "not named"},
            "requestor": False,
        },
        {
            "type": {"coding": [server]},
            "who": {"identifier": {"system": PRODUCER, "value": event["producer"]}},
            "requestor": False,
            "network": {"address": base_url, "type": "5"},
        },
    ]


def _source(event: Json) -> Json:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4"}
    observer = {"identifier": {"system": PRODUCER, "value": event["producer"]}}
    return {"site": event["tenant"], "observer": observer, "type": [{**kind, "display": "Application Server"}]}


def _entities(entry: Json, event: Json) -> list[Json]:
    own: Json = {
        "type": {"system": OWN_TYPES, "code": "log-entry"},
        "what": {"identifier": {"system": "urn:consilium:log-index", "value": str(entry["index"])}},
        "detail": [{"type": LEAF_HASH, "valueString": entry["leafHash"]}],
    }
    return [*_patient(event), *_data(event), *_consents(event), *_transaction(event), own]


def _patient(event: Json) -> list[Json]:
    if not event.get("subjectRef"):
        return []
    return [
        {
            "what": {"type": "Patient", "identifier": {"system": SUBJECT_REF, "value": event["subjectRef"]}},
            "type": {"system": ENTITY_TYPES, "code": "1", "display": "Person"},
            "role": {"system": ENTITY_ROLES, "code": "1", "display": "Patient"},
        }
    ]


def _data(event: Json) -> list[Json]:
    """What was looked at; several where a list was."""
    thing, details = event.get("object") or {}, event.get("details") or {}
    listed = [one for name in _LISTS if isinstance(details.get(name), list) for one in details[name]]
    ids = [thing["id"]] if thing.get("id") else [str(one) for one in listed]
    kind = thing.get("kind") or "object"
    label = {"securityLabel": [AI_ASSERTED]} if kind == "diagnosis" else {}
    role = ("3", "Report") if kind == "diagnosis" else ("4", "Domain Resource")
    return [
        {
            "what": {"identifier": {"system": f"urn:consilium:{kind}", "value": one}},
            "type": {"system": ENTITY_TYPES, "code": "2", "display": "System Object"},
            "role": {"system": ENTITY_ROLES, "code": role[0], "display": role[1]},
            **label,
        }
        for one in ids
    ]


def _consents(event: Json) -> list[Json]:
    """The consent decision that the act rested on."""
    basis = event.get("consent")
    if not basis:
        return []
    said = json.dumps({name: basis[name] for name in ("decision", "reason")})
    what: list[Any] = basis.get("consentIds") or [None]
    return [
        {
            **({"what": {"reference": f"Consent/{one}", "type": "Consent"}} if one else {}),
            "type": {"system": ENTITY_TYPES, "code": "2", "display": "System Object"},
            "role": {"system": ENTITY_ROLES, "code": "13", "display": "Security Resource"},
            "description": said,
        }
        for one in what
    ]


def _transaction(event: Json) -> list[Json]:
    if not event.get("requestId"):
        return []
    kind = {"system": BALP_ENTITIES, "code": "XrequestId"}
    return [{"what": {"identifier": {"value": event["requestId"]}}, "type": kind}]
