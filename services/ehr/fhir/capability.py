"""The CapabilityStatement: exactly what is served. A test compares it with the routes, both ways."""

from __future__ import annotations

from services.ehr.fhir.reading import Json

PUBLISHED = "2026-01-01"
SOFTWARE_VERSION = "0.1.0"

_PATIENT = "the patient's identifier: `value`, `Patient/value`, or with the modifier `:identifier` as `system|value`"
_BY_PATIENT = [("patient", "reference", _PATIENT), ("subject", "reference", _PATIENT)]
_RESULTS = [("_id", "token", "ids of results, separated by commas"), *_BY_PATIENT]
_SEARCHES = {
    "Consent": _BY_PATIENT,
    "DiagnosticReport": _RESULTS,
    "RiskAssessment": _RESULTS,
    "Provenance": [*_RESULTS, ("target", "reference", "`DiagnosticReport/id` or `RiskAssessment/id`")],
    "AuditEvent": [
        ("date", "date", "when it occurred, with eq, ge, gt, le or lt; two of them make a range"),
        ("patient", "reference", f"{_PATIENT}; the system `urn:consilium:subject-ref` takes a pseudonym"),
        ("agent", "reference", "`Practitioner/sub` of the token of whoever acted"),
        ("type", "token", "a code of AuditEvent.type, or one of `urn:consilium:audit-type`"),
        ("subtype", "token", "a code of `urn:consilium:audit-subtype` or `urn:consilium:audit-type`"),
        ("outcome", "token", "0, 4 or 8"),
    ],
}
INTERACTIONS = {
    "DocumentReference": ("create", "read"),
    "Observation": ("create",),
    "Consent": ("create", "read", "search-type"),
    "DiagnosticReport": ("read", "search-type"),
    "RiskAssessment": ("read", "search-type"),
    "Provenance": ("read", "search-type"),
    "AuditEvent": ("read", "search-type"),
}


def capability_statement(base_url: str) -> Json:
    """What `GET /fhir/metadata` answers."""
    return {
        "resourceType": "CapabilityStatement",
        "id": "consilium",
        "url": f"{base_url}/metadata",
        "version": SOFTWARE_VERSION,
        "name": "Consilium",
        "title": "Consilium FHIR facade",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "description": "Takes notes, vital signs and consents, shows results of a model. Not a medical device.",
        "software": {"name": "Consilium", "version": SOFTWARE_VERSION},
        "implementation": {"description": "Consilium", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{"mode": "server", "security": _SECURITY, "resource": [_resource(name) for name in INTERACTIONS]}],
    }


_SECURITY = {
    "description": "A bearer token of the suite's issuer on every request; roles clinician and ehr-system, and auditor "
    "for AuditEvent alone."
}


def _resource(name: str) -> Json:
    interactions = INTERACTIONS[name]
    resource: Json = {
        "type": name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "no-version",
    }
    if "search-type" in interactions:
        resource["searchParam"] = [
            {"name": n, "type": kind, "documentation": text} for n, kind, text in _SEARCHES[name]
        ]
    return resource
