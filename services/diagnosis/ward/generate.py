"""Patients by number: a function of (seed, index, conditions) alone, whatever process draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from services.diagnosis.case import CaseInput, Truth
from services.diagnosis.ward.conditions import STANDARD, Conditions
from services.diagnosis.ward.model import WardModel
from services.diagnosis.ward.parallel import in_order
from services.diagnosis.ward.patient import Streams, WardPatient
from services.diagnosis.ward.sampling import sample
from services.diagnosis.ward.tables import WARD

ANCHOR = datetime(2026, 1, 15, 8, tzinfo=UTC)
"""The ward's fixed present: no case is later."""
SPREAD_H = 24.0
"""Cases lie up to so many hours before the anchor."""
CHUNK = 8


def generate_patient(
    seed: int,
    index: int,
    *,
    side: int = 512,
    anchor: datetime = ANCHOR,
    spread_h: float = SPREAD_H,
    model: WardModel = WARD,
    conditions: Conditions = STANDARD,
) -> WardPatient:
    """Patient `index` of ward `seed`.

    Args:
        side: rows of the image, a multiple of ceil(side / 256): 512 for DICOM, 128 or less for quick training.
        anchor: no case time is later; rounded down to a whole second.
        spread_h: cases are spread evenly over so many hours before it.
        conditions: of the ward. Under conditions with the same population the same index is the same person with the
            same diagnosis and findings, seen otherwise.
    """
    latent, personal, *streams = np.random.SeedSequence([seed, index]).spawn(9)
    rng = np.random.default_rng(personal)
    person = conditions.population.draw(rng)
    back_h, image_h, note_h = rng.random(3) * (spread_h, 3.0, 5.0) + (0.0, 0.1, 0.05)
    as_of = anchor.astimezone(UTC).replace(microsecond=0) - timedelta(minutes=int(back_h * 60))
    return WardPatient(
        patient_id=f"WARD-{seed}-{index:06d}",
        model=model,
        latents=sample(model, np.random.default_rng(latent), person=person),
        person=person,
        conditions=conditions,
        as_of=as_of,
        image_at=as_of - timedelta(seconds=int(image_h * 3600)),
        note_at=as_of - timedelta(seconds=int(note_h * 3600)),
        side=side,
        streams=Streams(*streams),
    )


def iter_cases(
    seed: int,
    start: int,
    count: int,
    side: int = 128,
    processes: int = 1,
    *,
    missing: float = 0.0,
    model: WardModel = WARD,
    conditions: Conditions = STANDARD,
) -> Iterator[tuple[CaseInput, Truth]]:
    """Cases `start` to `start + count - 1` in order, each with its truth; never the whole set in memory.

    Args:
        missing: probability that a modality is left out, on top of what the conditions leave out.
    """
    indices = range(start, start + count)
    case = partial(_case, seed, side, missing, model, conditions)
    if processes <= 1:
        yield from map(case, indices)
        return
    chunks = [indices[i : i + CHUNK] for i in range(0, count, CHUNK)]
    for cases in in_order(partial(_cases, case), chunks, processes):
        yield from cases


def _cases(case: Callable[[int], tuple[CaseInput, Truth]], indices: range) -> list[tuple[CaseInput, Truth]]:
    return [case(index) for index in indices]


def _case(
    seed: int, side: int, missing: float, model: WardModel, conditions: Conditions, index: int
) -> tuple[CaseInput, Truth]:
    patient = generate_patient(seed, index, side=side, model=model, conditions=conditions)
    return patient.case(missing=missing), patient.truth
