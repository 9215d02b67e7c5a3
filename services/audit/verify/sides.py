"""The tables that are folds of the log: every version of a consent and every change of a bundle has its entry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .entries import stored_time

CONSENT_SUBTYPES = ("consent-given", "consent-withdrawn")
EVIDENCE_SUBTYPES = ("model-signature-checked", "model-evaluated", "model-approved")
CHANGES = {"model-registered": "candidate", "model-activated-locally": "activated-locally"}


@dataclass
class SideTables:
    """Rows of the side tables by the index of the entry that tells of them; taken out as they are met."""

    consents: dict[int, dict[str, Any]]
    bundle_events: dict[int, dict[str, Any]]
    bundles: dict[str, dict[str, Any]]
    evidence: dict[int, dict[str, Any]] = field(default_factory=dict)
    _given: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each consent's first entry says: its later versions say the same of modalities and period."""

    def wrong_at(self, index: int, event: dict[str, Any]) -> Iterator[str]:
        """What the side tables say otherwise than this entry."""
        try:
            if event["outcome"] != "success":
                return
            if event["type"] == "consent" and event["subtype"] in CONSENT_SUBTYPES:
                yield from self._wrong_consent(self.consents.pop(index, None), event)
            elif event["type"] == "model" and event["subtype"] in EVIDENCE_SUBTYPES:
                yield from self._wrong_evidence(self.evidence.pop(index, None), event)
            elif event["type"] == "model":
                yield from self._wrong_bundle(self.bundle_events.pop(index, None), event)
        except (KeyError, TypeError):
            yield "it does not say what an entry of its kind says"

    def left_over(self) -> Iterator[tuple[int, str]]:
        """Rows that name an entry which does not tell of them."""
        yield from ((index, "a row of table consent that no entry tells of") for index in self.consents)
        yield from ((index, "a row of table bundle_event that no entry tells of") for index in self.bundle_events)
        yield from ((index, "a row of table bundle_evidence that no entry tells of") for index in self.evidence)

    def _wrong_consent(self, row: dict[str, Any] | None, event: dict[str, Any]) -> Iterator[str]:
        if row is None:
            yield "its row in table consent is missing"
            return
        consent_id, details = event["object"]["id"], event["details"]
        first = self._given.setdefault(consent_id, details)
        yield from _differences("consent", row, {
            "id": consent_id, "version": details["version"], "subject_ref": event.get("subjectRef"),
            "decision": details["decision"], "purpose": details["purpose"],
            "withdrawn": event["subtype"] == "consent-withdrawn", "modalities": first["modalities"],
            **{name: stored_time(first[name]) if name in first else None for name in ("start", "end")},
            **({"purposes": first["purposes"]} if "purposes" in first and "purposes" in row else {}),
        })  # fmt: skip
        # The entry is public and says how many there are. What they say is behind a keyed digest.
        for name in ("recipients", "exceptions"):
            if name in first and name in row and _count(row[name]) != first[name]:
                yield f"column {name} of table consent does not hold as many as the entry says"

    def _wrong_bundle(self, row: dict[str, Any] | None, event: dict[str, Any]) -> Iterator[str]:
        if row is None:
            yield "its row in table bundle_event is missing"
            return
        details = event.get("details", {})
        change = details.get("to") or CHANGES.get(event["subtype"], "rolled-back-to")
        yield from _differences("bundle_event", row, {
            "bundle_id": event["object"]["id"], "change": change, "at": stored_time(event["occurredAt"]),
            "actor": event["actor"]["subject"], **({"percent": details.get("percent")} if "percent" in row else {}),
        })  # fmt: skip
        bundle = self.bundles.get(event["object"]["id"])
        if bundle is None:
            yield "its row in table bundle is missing"
            return
        said = {"name": details["name"], "version": details["version"], "digest": details["bundleDigest"]}
        yield from _differences("bundle", bundle, said)
        if "cardDigest" in details and _digest(bundle["card"]) != details["cardDigest"]:
            yield "column card of table bundle is not what the entry says"

    def _wrong_evidence(self, row: dict[str, Any] | None, event: dict[str, Any]) -> Iterator[str]:
        if row is None:
            yield "its row in table bundle_evidence is missing"
            return
        yield from _differences("bundle_evidence", row, {
            "bundle_id": event["object"]["id"], "at": stored_time(event["occurredAt"]),
            "issuer": event["actor"]["issuer"], "actor": event["actor"]["subject"],
        })  # fmt: skip
        content = row["content"] if isinstance(row["content"], dict) else {}
        if _digest({"id": row["id"], **content}) != event["details"]["evidenceDigest"]:
            yield "column content of table bundle_evidence is not what the entry says"


def _count(value: Any) -> int:
    """How many a stored list holds; -1 where it is none."""
    return len(value) if isinstance(value, list) else 0 if value is None else -1


def _differences(table: str, row: dict[str, Any], said: dict[str, Any]) -> Iterator[str]:
    for column, value in said.items():
        if row[column] != value:
            yield f"column {column} of table {table} is not what the entry says"


def _digest(value: Any) -> str:
    return "sha256:" + hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """RFC 8785: the one spelling of a JSON value."""
    if isinstance(value, dict):
        ordered = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return (
            "{"
            + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{canonical_json(value[name])}" for name in ordered)
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """ECMAScript's shortest spelling; Python finds the same digits and puts the point elsewhere."""
    if value == 0:
        return "0"
    sign, digits, exponent = _decimal_parts(value)
    point = len(digits) + exponent
    if 0 < point <= 21:
        text = digits.ljust(point, "0")
        text = text[:point] + ("." + text[point:] if text[point:] else "")
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
        text = f"{mantissa}e{point - 1:+d}"
    return sign + text


def _decimal_parts(value: float) -> tuple[str, str, int]:
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0) - len(fraction)
    digits = (whole + fraction).lstrip("0")
    shorter = digits.rstrip("0")
    return "-" if value < 0 else "", shorter, power + len(digits) - len(shorter)
