"""What makes a modality strange, in words: from the plain statistic that is out of range to a reason."""

from __future__ import annotations

from services.diagnosis.inference.ood import Array as Features
from services.diagnosis.inference.ood import OodReference
from services.diagnosis.model.preprocessing.rhythm import KINDS
from shared.codes import VITAL_SIGNS

GENERAL = {
    "image": "it does not look like a frontal chest radiograph of the kind this model was trained on",
    "note": "its wording is unlike the clinical notes this model was trained on",
    "vitals": "its values or their course are unlike any record this model was trained on",
}
_ANY = "it is unlike anything this model was trained on"
_PLAIN = ("the level of {}", "the scatter of {}", "the number of readings of {}")
_RHYTHM = {
    "lowest": "the lowest values of {}",
    "highest": "the highest values of {}",
    "interval": "the time between readings of {}",
    "change": "the change between readings of {}",
    "speed": "the speed at which {} changes",
    "repeats": "the share of repeated readings of {}",
}
_CHECK = "check units, clock and sensor"


def why_strange(name: str, reference: OodReference, features: Features, encoded: int) -> str:
    """The reason to set a modality aside.

    Args:
        encoded: how many of the leading features come from the encoder.
    """
    place = reference.most_extreme(features)
    if name == "vitals" and place is not None:
        what = _vitals(place - encoded)
        if what is not None:
            return f"{what} is outside everything this model was trained on ({_CHECK})"
    return GENERAL.get(name, _ANY)


def _vitals(place: int) -> str | None:
    """Which statistic of which sign, in the order of `vitals_statistics`, then of `rhythm_statistics`."""
    texts = [*_PLAIN, *(_RHYTHM[kind] for kind in KINDS)]
    kind, sign = divmod(place, len(VITAL_SIGNS))
    if 0 <= kind < len(texts):
        return texts[kind].format(VITAL_SIGNS[sign].coding.display.lower())
    return "the length of the record" if place == len(texts) * len(VITAL_SIGNS) else None
