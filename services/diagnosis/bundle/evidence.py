"""What a bundle brings to the model registry: who signed it, and how it did, from its card or from an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.diagnosis.bundle.errors import BundleUnreadable
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.layout import CARD
from services.diagnosis.bundle.verification import verify_bundle
from shared.digests import digest_json

FLOOR_FIGURE = "macroAuroc"
"""The figure of each group that the registry holds against its floor."""


@dataclass(frozen=True)
class Announcement:
    """A verified bundle as the registry is told of it."""

    identity: BundleIdentity
    card: dict[str, Any]
    key_id: str
    """`sha256:<hex>` of the public key that signed it."""
    evaluation: dict[str, Any] | None
    """Body of `POST /models/{id}/evaluations`; None: the card holds no figures with intervals."""


def describe(directory: Path) -> Announcement:
    """Verify a bundle and read what the registry should know.

    Raises: what `verify_bundle` raises; BundleUnreadable: it has no card.
    """
    verified = verify_bundle(directory)
    try:
        card = json.loads((directory / CARD).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BundleUnreadable(f"{CARD} is missing or is not JSON.") from error
    key_id = f"sha256:{verified.signer.fingerprint}"
    return Announcement(verified.identity, card, key_id, evaluation_of_card(card, verified.identity.digest))


def evaluation_of_card(card: Mapping[str, Any], bundle_digest: str) -> dict[str, Any] | None:
    """What the signed card says of the recipe's own test split, with all modalities."""
    metrics, test = _mapping(card.get("metrics")), _mapping(_mapping(card.get("data")).get("test"))
    patterns = _mapping(metrics.get("patterns"))
    if not patterns or not isinstance(test.get("digest"), str):
        return None
    subgroups = _mapping(metrics.get("subgroups"))
    widest = subgroups.get("pattern") or max(patterns, key=lambda name: name.count("+"))
    figures = dict(_estimates(_mapping(patterns.get(widest))))
    if not figures:
        return None
    return {
        "bundleDigest": bundle_digest,
        "dataset": f"test split of {test.get('source', 'the training data')}"[:100],
        "dataDigest": test["digest"],
        "reportDigest": digest_json(card),
        "n": metrics["n"],
        "figures": figures,
        "subgroups": [
            {"attribute": attribute, "group": group, "n": found["n"], "figures": dict(_estimates(found))}
            for attribute, held in _mapping(subgroups.get("attributes")).items()
            for group, found in held["groups"].items()
        ],
    }


def evaluation_of_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """The same from what `consilium evaluate --json` wrote.

    Raises: ValueError: it is no such report, or from before reports named their cases.
    """
    try:
        patterns = report["patterns"]
        widest = max(patterns, key=lambda name: (name == "as-available", name.count("+")))
        plain = patterns[widest]
        ends = _mapping(plain.get("intervals"))
        figures = {_camel(name): value for name, value in _estimates(plain)}
        figures |= {_camel(name): found for name, found in _beside(plain, ends)}
        return {
            "bundleDigest": report["bundle"]["digest"],
            "dataset": str(report["dataset"])[:100],
            "dataDigest": report["data_digest"],
            "reportDigest": digest_json(report),
            "n": report["n"],
            "figures": figures,
            "subgroups": list(_report_groups(report["subgroups"])),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"not a report of `consilium evaluate --json` of this version: {type(error).__name__} at {error}"
        ) from error


def _report_groups(subgroups: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Single attributes: their groups are large enough to be judged, where any are."""
    for attribute, held in subgroups.items():
        for group, found in held.items():
            if "×" not in attribute and isinstance(found, Mapping) and "n" in found:
                own = {_camel(name): value for name, value in _estimates(found)}
                yield {"attribute": attribute, "group": group, "n": found["n"], "figures": own}


def _beside(plain: Mapping[str, Any], ends: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """Figures whose interval stands under `intervals`."""
    for name, interval in ends.items():
        value = plain.get(name)
        if isinstance(value, int | float) and isinstance(interval, Mapping):
            yield from _estimates({name: {"value": value, **interval}})


def _estimates(held: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    for name, found in held.items():
        if isinstance(found, Mapping):
            ends = [found.get(key) for key in ("value", "low", "high")]
            if all(isinstance(end, int | float) for end in ends):
                yield name, dict(zip(("value", "low", "high"), ends, strict=True))  # type: ignore[arg-type]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
