"""Who may call what: every route of the suite, one a line, as `docs/reference/roles.md` shows it.

A new route is a new line: service, method, path, who is admitted, what the answer shows, what the call changes.
`python -m tests.security.roles` writes the page.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.auth import Role
from tests.support.common import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "reference" / "roles.md"
EVERYONE = ""
"""With or without a token."""
CLINICAL = "clinician ehr-system"
ALL_ROLES = " ".join(Role)
NOTHING, PATIENT, CONSENT, RESEARCH, LOG, MODEL = "nothing", "patient", "consent", "research", "log", "model"
ERASURE = "erasure"
"""What an answer shows or a call changes. `patient`: evidence, results, identifiers; `research`: images without their
patient; `log`: entries with pseudonyms, proofs, figures; `model`: bundles and their cards; `erasure`: that a patient's
data go, or stay."""


@dataclass(frozen=True)
class Route:
    """One route, and who is admitted."""

    service: str
    method: str
    path: str
    admits: str
    shows: str = NOTHING
    changes: str = NOTHING

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells one route from another."""
        return self.service, self.method, self.path

    @property
    def roles(self) -> frozenset[Role]:
        """The roles whose token is let in."""
        return frozenset(map(Role, self.admits.split()))

    @property
    def is_open(self) -> bool:
        """No token is asked for."""
        return self.admits == EVERYONE


ROUTES = (
    Route("front", "GET", "/healthz", EVERYONE),
    Route("front", "GET", "/readyz", EVERYONE),
    Route("front", "GET", "/openapi.json", EVERYONE),
    Route("front", "GET", "/docs", EVERYONE),
    Route("front", "GET", "/metrics", "admin service"),
    *(
        Route(service, "GET", path, admits)
        for service in ("imaging", "notes", "vitals", "diagnosis", "audit", "ehr", "review")
        for path, admits in (
            ("/healthz", EVERYONE), ("/readyz", EVERYONE), ("/openapi.json", EVERYONE), ("/metrics", "admin service"),
        )
    ),
    Route("imaging", "POST", "/dicomweb/studies", CLINICAL, changes=PATIENT),
    Route("imaging", "POST", "/dicomweb/studies/{study}", CLINICAL, changes=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/series", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/instances", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}/metadata", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}/series", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}/instances", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}/series/{series}", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}/series/{series}/metadata", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}/series/{series}/instances", CLINICAL, shows=PATIENT),
    Route("imaging", "GET", "/dicomweb/studies/{study}/series/{series}/instances/{instance}", CLINICAL, shows=PATIENT),
    *(
        Route("imaging", "GET", f"/dicomweb/studies/{{study}}/series/{{series}}/instances/{{instance}}/{what}",
              CLINICAL, shows=PATIENT)
        for what in ("metadata", "rendered", "frames/{frames}", "frames/{frames}/rendered")
    ),
    Route("imaging", "POST", "/research/exports", "researcher", shows=RESEARCH),
    Route("imaging", "GET", "/research/reviews", "clinician", shows=PATIENT),
    Route("imaging", "POST", "/research/reviews/{id}", "clinician", changes=RESEARCH),
    Route("imaging", "POST", "/internal/imaging/evidence", "service", shows=PATIENT),
    Route("imaging", "GET", "/internal/imaging/evidence/{id}", "service", shows=PATIENT),
    Route("notes", "POST", "/notes", CLINICAL, changes=PATIENT),
    Route("notes", "POST", "/notes/search", CLINICAL, shows=PATIENT),
    Route("notes", "GET", "/notes/{note_id}", CLINICAL, shows=PATIENT),
    Route("notes", "GET", "/notes/{note_id}/analysis", CLINICAL, shows=PATIENT),
    Route("notes", "POST", "/internal/notes/evidence", "service", shows=PATIENT),
    Route("notes", "GET", "/internal/notes/evidence/{note_id}", "service", shows=PATIENT),
    Route("vitals", "POST", "/vitals/samples", CLINICAL, changes=PATIENT),
    Route("vitals", "POST", "/vitals/search", CLINICAL, shows=PATIENT),
    Route("vitals", "POST", "/vitals/derived", CLINICAL, shows=PATIENT),
    Route("vitals", "POST", "/vitals/stream", CLINICAL, shows=PATIENT),
    Route("vitals", "POST", "/vitals/imports", CLINICAL, changes=PATIENT),
    Route("vitals", "GET", "/vitals/imports/{import_id}", CLINICAL, shows=PATIENT),
    Route("vitals", "GET", "/vitals/imports/{import_id}/rejects", CLINICAL, shows=PATIENT),
    Route("vitals", "POST", "/internal/vitals/evidence", "service", shows=PATIENT),
    Route("vitals", "GET", "/internal/vitals/evidence/{window_id}", "service", shows=PATIENT),
    Route("diagnosis", "POST", "/diagnoses", CLINICAL, shows=PATIENT, changes=PATIENT),
    Route("diagnosis", "GET", "/diagnoses", "clinician", shows=PATIENT),
    Route("diagnosis", "POST", "/diagnoses/search", CLINICAL, shows=PATIENT),
    Route("diagnosis", "POST", "/diagnoses/stream", CLINICAL, shows=PATIENT),
    Route("diagnosis", "GET", "/diagnoses/{diagnosis_id}", CLINICAL, shows=PATIENT),
    Route("diagnosis", "GET", "/diagnoses/{diagnosis_id}/events", CLINICAL, shows=PATIENT),
    Route("diagnosis", "GET", "/diagnoses/{diagnosis_id}/manifest", CLINICAL, shows=PATIENT),
    Route("diagnosis", "GET", "/diagnoses/{diagnosis_id}/heatmaps/{sop_instance_uid}", CLINICAL, shows=PATIENT),
    Route("diagnosis", "GET", "/diagnoses/{diagnosis_id}/similar", CLINICAL, shows=PATIENT),
    Route("diagnosis", "POST", "/diagnoses/{diagnosis_id}/feedback", "clinician", changes=PATIENT),
    Route("diagnosis", "POST", "/diagnoses/{diagnosis_id}/query", "clinician", shows=PATIENT),
    Route("diagnosis", "POST", "/search", "clinician", shows=PATIENT),
    # A verdict, digests and one number; its event is the only thing that is written.
    Route("diagnosis", "POST", "/diagnoses/{diagnosis_id}/replay", "admin auditor clinician service", LOG, LOG),
    Route("diagnosis", "POST", "/internal/diagnosis/results", "service", shows=PATIENT),
    Route("diagnosis", "POST", "/internal/diagnosis/reviews", "service", shows=PATIENT),
    Route("diagnosis", "POST", "/internal/diagnosis/consent-fence", "service", changes=CONSENT),
    # The C2SP tiles: pseudonyms and digests, open so that anybody's verifier can read them.
    Route("audit", "GET", "/audit/checkpoint", EVERYONE, shows=LOG),
    Route("audit", "GET", "/audit/checkpoint/witnessed", EVERYONE, shows=LOG),
    Route("audit", "GET", "/audit/tile/entries/{path}", EVERYONE, shows=LOG),
    Route("audit", "GET", "/audit/tile/{level}/{path}", EVERYONE, shows=LOG),
    Route("audit", "GET", "/audit/producers", "admin auditor", shows=LOG),
    Route("audit", "GET", "/audit/key", ALL_ROLES, shows=LOG),
    Route("audit", "GET", "/audit/entries", "auditor", shows=LOG),
    Route("audit", "POST", "/audit/entries/search", "auditor", shows=LOG),
    Route("audit", "GET", "/audit/entries/{index}", "auditor", shows=LOG),
    Route("audit", "GET", "/audit/entries/{index}/receipt", "auditor clinician ehr-system", shows=LOG),
    Route("audit", "GET", "/audit/export", "auditor", shows=LOG),
    Route("audit", "POST", "/audit/export", "auditor", shows=LOG),
    Route("audit", "GET", "/audit/retention", "admin auditor", shows=LOG),
    Route("audit", "POST", "/audit/disclosures", "auditor", shows=LOG),
    Route("audit", "POST", "/audit/accesses", "auditor", shows=LOG),
    Route("audit", "POST", "/internal/audit/events", "service", changes=LOG),
    Route("audit", "GET", "/internal/audit/ingests", "service", shows=LOG),
    Route("audit", "POST", "/consents", CLINICAL, shows=CONSENT, changes=CONSENT),
    Route("audit", "GET", "/consents", "auditor clinician ehr-system", shows=CONSENT),
    Route("audit", "POST", "/consents/search", "auditor clinician ehr-system", shows=CONSENT),
    Route("audit", "GET", "/consents/{consent_id}/versions", "auditor clinician ehr-system", shows=CONSENT),
    Route("audit", "POST", "/consents/{consent_id}/withdraw", CLINICAL, shows=CONSENT, changes=CONSENT),
    Route("audit", "POST", "/consents/break-glass", "clinician", shows=CONSENT, changes=CONSENT),
    Route("audit", "GET", "/consents/break-glass", "auditor clinician", shows=CONSENT),
    # Looking at an emergency access is what a reviewer is for; the review is an entry of the log.
    Route("audit", "POST", "/consents/break-glass/{access_id}/review", "auditor clinician", CONSENT, LOG),
    Route("audit", "GET", "/internal/audit/consent/storing", "service", shows=CONSENT),
    Route("audit", "POST", "/internal/audit/consent/decide", "service", shows=CONSENT),
    # Whoever has a patient erased is shown a pseudonym and counts.
    Route("audit", "POST", "/erasures", "admin", shows=LOG, changes=ERASURE),
    Route("audit", "GET", "/erasures/{erasure_id}", "admin auditor", shows=LOG),
    Route("audit", "POST", "/holds", "admin", shows=LOG, changes=ERASURE),
    Route("audit", "GET", "/holds", "admin auditor", shows=LOG),
    Route("audit", "POST", "/holds/{hold_id}/release", "admin", shows=LOG, changes=ERASURE),
    *(
        Route(service, "POST", path, "service", shows=LOG, changes=ERASURE)
        for service in ("imaging", "notes", "vitals", "diagnosis", "ehr")
        for path in (f"/internal/{service}/erasures", f"/internal/{service}/erasures/unknown")
    ),
    Route("audit", "GET", "/models", ALL_ROLES, shows=MODEL),
    Route("audit", "GET", "/models/{model_id}", ALL_ROLES, shows=MODEL),
    Route("audit", "GET", "/models/{model_id}/card", ALL_ROLES, shows=MODEL),
    Route("audit", "POST", "/models", "admin service", shows=MODEL, changes=MODEL),
    Route("audit", "POST", "/models/{model_id}/signature", "admin service", shows=MODEL, changes=MODEL),
    Route("audit", "POST", "/models/{model_id}/evaluations", "admin service", shows=MODEL, changes=MODEL),
    # An approval is a signed entry; by itself it moves nothing.
    Route("audit", "POST", "/models/{model_id}/approvals", "admin clinician", shows=MODEL, changes=LOG),
    Route("audit", "POST", "/models/{model_id}/local-activation", "admin service", shows=MODEL, changes=MODEL),
    Route("audit", "GET", "/models/{model_id}/predictions", "auditor", shows=LOG),
    Route("audit", "GET", "/models/{model_id}/agreement", "admin auditor", shows=LOG),
    Route("audit", "GET", "/internal/audit/models/serving", "service", shows=MODEL),
    Route("audit", "POST", "/models/{model_id}/promote", "admin service", shows=MODEL, changes=MODEL),
    Route("audit", "POST", "/models/rollback", "admin", shows=MODEL, changes=MODEL),
    Route("ehr", "GET", "/fhir/metadata", CLINICAL),
    Route("ehr", "POST", "/fhir/DocumentReference", CLINICAL, shows=PATIENT, changes=PATIENT),
    Route("ehr", "GET", "/fhir/DocumentReference/{resource_id}", CLINICAL, shows=PATIENT),
    Route("ehr", "POST", "/fhir/Observation", CLINICAL, shows=PATIENT, changes=PATIENT),
    Route("ehr", "POST", "/fhir/Consent", CLINICAL, shows=CONSENT, changes=CONSENT),
    Route("ehr", "GET", "/fhir/Consent", CLINICAL, shows=CONSENT),
    Route("ehr", "POST", "/fhir/Consent/_search", CLINICAL, shows=CONSENT),
    Route("ehr", "GET", "/fhir/Consent/{resource_id}", CLINICAL, shows=CONSENT),
    Route("ehr", "GET", "/fhir/DiagnosticReport", CLINICAL, shows=PATIENT),
    Route("ehr", "POST", "/fhir/DiagnosticReport/_search", CLINICAL, shows=PATIENT),
    Route("ehr", "GET", "/fhir/DiagnosticReport/{resource_id}", CLINICAL, shows=PATIENT),
    Route("ehr", "GET", "/fhir/RiskAssessment", CLINICAL, shows=PATIENT),
    Route("ehr", "POST", "/fhir/RiskAssessment/_search", CLINICAL, shows=PATIENT),
    Route("ehr", "GET", "/fhir/RiskAssessment/{resource_id}", CLINICAL, shows=PATIENT),
    Route("ehr", "GET", "/fhir/Provenance", CLINICAL, shows=PATIENT),
    Route("ehr", "POST", "/fhir/Provenance/_search", CLINICAL, shows=PATIENT),
    Route("ehr", "GET", "/fhir/Provenance/{resource_id}", CLINICAL, shows=PATIENT),
    Route("ehr", "GET", "/fhir/AuditEvent", "auditor", shows=LOG),
    Route("ehr", "POST", "/fhir/AuditEvent/_search", "auditor", shows=LOG),
    Route("ehr", "GET", "/fhir/AuditEvent/{resource_id}", "auditor", shows=LOG),
    Route("ehr", "GET", "/cds-services", CLINICAL),
    Route("ehr", "POST", "/cds-services/{service_id}", CLINICAL, shows=PATIENT),
    Route("ehr", "POST", "/cds-services/{service_id}/feedback", CLINICAL, changes=PATIENT),
    # Whoever is to sign in has no token yet.
    Route("review", "GET", "/sign-in-options", EVERYONE),
    Route("review", "GET", "/assets/{name}", EVERYONE),
    Route("review", "GET", "/{path}", EVERYONE),
)  # fmt: skip

INTRODUCTION = """# Who may call what

Every route of the suite, from the table in `tests/security/roles.py`. A test compares it with the routes that the
composed suite really has, asks each of them once without a token and once with a token of each role, and fails on a
route that is not here. A service with a route that names no roles does not start.

*shows*: what an answer may hold; *changes*: what a call may change. `patient` is evidence, results and identifiers,
`research` images without their patient, `log` entries with pseudonyms, proofs and figures. So read: `admin` is shown
no patient, no consent and no entry; `auditor` changes nothing but the log itself, to which a review of an emergency
access and a replay add; `researcher` sees what has left its patient. `·` is 403, and 401 without a token.

`front` is what the suite answers itself; in the distributed suite the gateway does so. The services' own `/healthz`,
`/readyz`, `/metrics` and `/openapi.json` are reached in the distributed suite alone, on their own ports. The witness
runs elsewhere, has no callers that it knows and shows signed notes alone: all its routes are open.

"""


def page() -> str:
    """The reference page."""
    callers = ["none", *Role]
    lines = [f"| service | route | {' | '.join(callers)} | shows | changes |", "|" + "---|" * (len(callers) + 4)]
    for route in ROUTES:
        marks = ["yes" if route.is_open or (caller in route.roles) else "·" for caller in callers]
        cells = [route.service, f"`{route.method} {route.path}`", *marks, route.shows, route.changes]
        lines.append(f"| {' | '.join(cells)} |")
    return INTRODUCTION + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
