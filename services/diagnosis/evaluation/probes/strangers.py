"""Inputs that no encoder was trained on, made from ordinary ones: far strangers, and near ones that are hard to tell.

Headers are left as they are, so that pixels, words and values alone give a stranger away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, VitalsInput
from services.diagnosis.evaluation.probes.foreign_texts import ORTHOPAEDICS, RECIPE, SPANISH
from services.diagnosis.evaluation.probes.perturb import keep_readings
from shared import codes

Distance = Literal["far", "near"]
Pixels = NDArray[np.float32]
Make = Callable[[CaseInput, np.random.Generator], CaseInput]


@dataclass(frozen=True)
class Stranger:
    """One way to make a case strange in one modality."""

    distance: Distance
    make: Make


def _image(change: Callable[[Pixels, np.random.Generator], Pixels]) -> Make:
    def make(case: CaseInput, rng: np.random.Generator) -> CaseInput:
        changed = [(image, np.ascontiguousarray(change(image.pixels, rng), np.float32)) for image in case.images]
        images = tuple(replace(i, pixels=p, rows=p.shape[0], columns=p.shape[1]) for i, p in changed)
        return replace(case, images=images)

    return make


def _note(change: Callable[[str, np.random.Generator], str]) -> Make:
    def make(case: CaseInput, rng: np.random.Generator) -> CaseInput:
        return replace(case, notes=tuple(replace(note, text=change(note.text, rng)) for note in case.notes))

    return make


def _vitals(change: Callable[[VitalsInput, np.random.Generator], VitalsInput | None]) -> Make:
    def make(case: CaseInput, rng: np.random.Generator) -> CaseInput:
        known = _canonical(case.vitals) if case.vitals is not None else None
        return replace(case, vitals=change(known, rng) if known is not None else None)

    return make


_CANONICAL = {code: sign.coding.code for sign in codes.VITAL_SIGNS for code in (sign.coding.code, *sign.aliases)}


def _canonical(vitals: VitalsInput) -> VitalsInput | None:
    """Each sign under its one code; what is no vital sign of ours is left out, as by every encoder."""
    known = keep_readings(vitals, np.array([code in _CANONICAL for code in vitals.codes], np.bool_))
    return None if known is None else replace(known, codes=tuple(_CANONICAL[code] for code in known.codes))


def _noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(rng.random(pixels.shape), np.float32)


def _blank(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """An exposed plate without a patient: even grey and grain, too lively for the input rule against blank images."""
    return np.clip(0.5 + rng.normal(0, 0.01, pixels.shape), 0, 1).astype(np.float32)


def _stripes(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A dead read-out: vertical bars."""
    width = rng.integers(4, 24)
    bars = (np.arange(pixels.shape[1]) // width % 2).astype(np.float32)
    return np.broadcast_to(bars, pixels.shape)


def _texture(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Noise with the 1/f amplitude spectrum of natural scenes (Field 1987)."""
    rows, columns = pixels.shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None])
    frequency[0, 0] = np.inf
    field = np.fft.ifft2(np.exp(2j * np.pi * rng.random(pixels.shape)) / frequency).real
    low, high = np.percentile(field, (1, 99))
    return np.asarray(np.clip((field - low) / (high - low), 0, 1), np.float32)


def _ct_slice(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """An axial slice of an abdomen: a body ellipse with liver, kidneys, aorta and a vertebra on black."""
    y, x = _unit_grid(pixels)
    image = np.zeros(pixels.shape, np.float32)
    wide, tall = rng.uniform(0.75, 0.9), rng.uniform(0.55, 0.7)
    image[_ellipse(x, y, 0, 0, wide, tall)] = 0.35
    image[_ellipse(x, y, 0, 0, wide - 0.08, tall - 0.08)] = 0.5
    image[_ellipse(x, y, -0.35, -0.1, 0.32, 0.3)] = 0.62
    for side in (-1, 1):
        image[_ellipse(x, y, side * 0.35, 0.25, 0.11, 0.15)] = 0.7
    image[_ellipse(x, y, 0.05, 0.15, 0.06, 0.06)] = 0.75
    image[_ellipse(x, y, 0, 0.36, 0.13, 0.12)] = 1.0
    return np.clip(image + rng.normal(0, 0.02, pixels.shape) * (image > 0), 0, 1).astype(np.float32)


def _hand(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A hand: five rays of bone in soft tissue."""
    y, x = _unit_grid(pixels)
    image = np.zeros(pixels.shape, np.float32)
    image[_ellipse(x, y, 0, 0.45, 0.4, 0.4)] = 0.35
    turn = rng.uniform(-0.15, 0.15)
    for angle, length in zip(np.linspace(-0.7, 0.6, 5) + turn, (0.6, 0.95, 1.0, 0.95, 0.8), strict=True):
        along, beside = -(y - 0.45) * np.cos(angle) + x * np.sin(angle), (y - 0.45) * np.sin(angle) + x * np.cos(angle)
        ray = (along > 0) & (along < length)
        image[ray & (np.abs(beside) < 0.09)] = np.maximum(image[ray & (np.abs(beside) < 0.09)], 0.35)
        image[ray & (np.abs(beside) < 0.04) & (along % 0.26 > 0.03)] = 0.85
    return np.clip(image + rng.normal(0, 0.02, pixels.shape), 0, 1).astype(np.float32)


def _unit_grid(pixels: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    return y, x


def _ellipse(
    x: NDArray[np.float64], y: NDArray[np.float64], cx: float, cy: float, rx: float, ry: float
) -> NDArray[np.bool_]:
    return np.asarray(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1)


def _zoomed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A detail: the middle half both ways."""
    rows, columns = pixels.shape
    return pixels[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]


def _blurred(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The patient moved."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(pixels, max(pixels.shape) / 64), np.float32)


def _shuffle_words(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    return " ".join(words[i] for i in rng.permutation(len(words)))


def _random_characters(text: str, rng: np.random.Generator) -> str:
    """Words of random letters, as many and as long as the note's."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return " ".join("".join(rng.choice(letters, len(word))) for word in text.split())


def _first_words(text: str, rng: np.random.Generator) -> str:
    return " ".join(text.split()[:4])


def _scale(code: str, factor: float, offset: float = 0.0) -> Callable[[VitalsInput, np.random.Generator], VitalsInput]:
    def change(vitals: VitalsInput, _: np.random.Generator) -> VitalsInput:
        own = np.array(vitals.codes) == code
        return replace(vitals, values=np.where(own, vitals.values * factor + offset, vitals.values))

    return change


def _kilopascals(vitals: VitalsInput, rng: np.random.Generator) -> VitalsInput:
    systolic = _scale(codes.SYSTOLIC_BLOOD_PRESSURE.code, 1 / 7.500617)(vitals, rng)
    return _scale(codes.DIASTOLIC_BLOOD_PRESSURE.code, 1 / 7.500617)(systolic, rng)


def _stuck(vitals: VitalsInput, rng: np.random.Generator) -> VitalsInput:
    """Every sensor repeats its first reading."""
    first: dict[str, float] = {}
    for code, value in zip(vitals.codes, vitals.values, strict=True):
        first.setdefault(code, float(value))
    return replace(vitals, values=np.array([first[code] for code in vitals.codes]))


def _any_value(vitals: VitalsInput, rng: np.random.Generator) -> VitalsInput:
    """Anything that a living person can show, at random."""
    limits = {sign.coding.code: (sign.low, min(sign.high, 400.0)) for sign in codes.VITAL_SIGNS}
    return replace(vitals, values=np.array([rng.uniform(*limits[code]) for code in vitals.codes]))


def _compressed(vitals: VitalsInput, rng: np.random.Generator) -> VitalsInput:
    """Three days within three hours: hours read in another unit."""
    return replace(vitals, times_h=vitals.times_h / 24)


def _rabbit(vitals: VitalsInput, rng: np.random.Generator) -> VitalsInput:
    """Resting values of a rabbit, each within what a person can show."""
    resting = {
        codes.HEART_RATE.code: (205.0, 15.0),
        codes.RESPIRATORY_RATE.code: (45.0, 5.0),
        codes.BODY_TEMPERATURE.code: (39.3, 0.2),
        codes.SYSTOLIC_BLOOD_PRESSURE.code: (110.0, 8.0),
        codes.DIASTOLIC_BLOOD_PRESSURE.code: (80.0, 6.0),
    }
    drawn = [rng.normal(*resting[c]) if c in resting else v for c, v in zip(vitals.codes, vitals.values, strict=True)]
    return replace(vitals, values=np.array(drawn))


def _one_sign(vitals: VitalsInput, rng: np.random.Generator) -> VitalsInput | None:
    return keep_readings(vitals, np.array(vitals.codes) == codes.HEART_RATE.code)


def _toddler(vitals: VitalsInput, rng: np.random.Generator) -> VitalsInput:
    """A child of two: a faster heart and breath, a lower pressure."""
    faster = _scale(codes.HEART_RATE.code, 1.6)(_scale(codes.RESPIRATORY_RATE.code, 1.8)(vitals, rng), rng)
    lower = _scale(codes.SYSTOLIC_BLOOD_PRESSURE.code, 0.75)(faster, rng)
    return _scale(codes.DIASTOLIC_BLOOD_PRESSURE.code, 0.75)(lower, rng)


STRANGERS: dict[str, dict[str, Stranger]] = {
    "image": {
        "noise": Stranger("far", _image(_noise)),
        "blank": Stranger("far", _image(_blank)),
        "inverted": Stranger("far", _image(lambda pixels, _: 1 - pixels)),
        "ct_slice": Stranger("far", _image(_ct_slice)),
        "hand": Stranger("far", _image(_hand)),
        "stripes": Stranger("far", _image(_stripes)),
        "natural_texture": Stranger("far", _image(_texture)),
        "rotated_90": Stranger("far", _image(lambda pixels, _: np.rot90(pixels))),
        "mirrored": Stranger("near", _image(lambda pixels, _: pixels[:, ::-1])),
        "zoomed": Stranger("near", _image(_zoomed)),
        "blurred": Stranger("near", _image(_blurred)),
    },
    "note": {
        "shuffled_words": Stranger("far", _note(_shuffle_words)),
        "spanish": Stranger("far", _note(lambda _, rng: _some_sentences(SPANISH, rng))),
        "random_characters": Stranger("far", _note(_random_characters)),
        "recipe": Stranger("far", _note(lambda _, rng: _some_sentences(RECIPE, rng))),
        "orthopaedics": Stranger("near", _note(lambda _, rng: _some_sentences(ORTHOPAEDICS, rng))),
        "four_words": Stranger("near", _note(_first_words)),
        "capitals": Stranger("near", _note(lambda text, _: text.upper())),
    },
    "vitals": {
        "saturation_as_fraction": Stranger("far", _vitals(_scale(codes.OXYGEN_SATURATION.code, 0.01))),
        "pressure_in_kilopascals": Stranger("far", _vitals(_kilopascals)),
        "variability_in_seconds": Stranger("far", _vitals(_scale(codes.HEART_RATE_VARIABILITY.code, 0.001))),
        "stuck": Stranger("far", _vitals(_stuck)),
        "any_value": Stranger("far", _vitals(_any_value)),
        "compressed": Stranger("far", _vitals(_compressed)),
        "rabbit": Stranger("far", _vitals(_rabbit)),
        # The input rules leave such readings out: what remains is a record without temperature.
        "temperature_in_fahrenheit": Stranger("near", _vitals(_scale(codes.BODY_TEMPERATURE.code, 1.8, 32))),
        "heart_rate_alone": Stranger("near", _vitals(_one_sign)),
        "toddler": Stranger("near", _vitals(_toddler)),
    },
}
"""Modality -> kind -> how to make it."""


def _some_sentences(sentences: tuple[str, ...], rng: np.random.Generator) -> str:
    """About two thirds of the sentences in their order, so that no two texts are alike."""
    kept = rng.random(len(sentences)) < 0.67
    kept[int(rng.integers(len(sentences)))] = True
    return " ".join(sentence for sentence, keep in zip(sentences, kept, strict=True) if keep)
