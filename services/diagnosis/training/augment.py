"""What is varied between epochs so that the encoders meet more than the ward shows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from services.diagnosis.model.config import NoteConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.preprocessing.views import UNKNOWN


def augment_images(pixels: Tensor, rng: torch.Generator) -> Tensor:
    """[n, 1, side, side]: small shifts, zooms, turns, tone curve and noise. No mirror: the heart has a side."""
    n = len(pixels)
    angle, zoom = _uniform(n, -0.07, 0.07, rng), _uniform(n, 0.93, 1.08, rng)
    matrix = torch.stack(
        [
            *(zoom * angle.cos(), -zoom * angle.sin(), _uniform(n, -0.06, 0.06, rng)),
            *(zoom * angle.sin(), zoom * angle.cos(), _uniform(n, -0.06, 0.06, rng)),
        ],
        dim=1,
    ).view(n, 2, 3)
    grid = functional.affine_grid(matrix, list(pixels.shape), align_corners=False)
    pixels = functional.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)
    gamma = _uniform(n, 0.75, 1.35, rng).view(n, 1, 1, 1)
    pixels = pixels.clamp(1e-4, 1) ** gamma
    noise = torch.randn(pixels.shape, generator=rng) * _uniform(n, 0, 0.03, rng).view(n, 1, 1, 1)
    return (pixels + noise).clamp(0, 1)


def hide_views(views: Tensor, rng: torch.Generator) -> Tensor:
    """One view in five unknown, as in headers that do not say it. Of any shape."""
    return torch.where(torch.rand(views.shape, generator=rng) < 0.2, UNKNOWN, views)


def augment_notes(inputs: Inputs, config: NoteConfig, rng: torch.Generator) -> Inputs:
    """Mask single words of some notes, and seldom hide a stretch, so that damaged notes are familiar.

    What is hidden is asked for all the same, which blurs: most notes stay whole. Short notes, whose targets know that
    they are short, come from `training.fragments`. One age in five is unknown, and one note in five has no headings.
    """
    ids, attention = inputs["input_ids"].clone(), inputs["attention"].clone()
    batch, _, pieces = ids.shape
    rate = _uniform(batch, 0, 0.3, rng) * (torch.rand(batch, generator=rng) < 0.3)
    chosen = torch.rand(ids.shape, generator=rng) < rate[:, None, None]
    chosen &= ~torch.isin(ids, torch.tensor(config.special_ids)) & attention.bool()
    ids[chosen] = config.mask_id
    place = torch.arange(pieces)
    start = torch.rand(batch, generator=rng) * pieces
    length = torch.rand(batch, generator=rng) * 0.6 * pieces * (torch.rand(batch, generator=rng) < 0.1)
    hidden = (place >= start[:, None]) & (place < (start + length)[:, None]) & (place > 0)
    attention[hidden[:, None].expand_as(attention)] = 0
    known = (torch.rand(batch, generator=rng) >= 0.2)[:, None]
    headed = (torch.rand(batch, generator=rng) >= 0.2)[:, None, None]
    ages, sections = inputs["ages"] * known, inputs["sections"] * headed
    return {**inputs, "input_ids": ids, "attention": attention, "ages": ages, "sections": sections}


def thin_vitals(inputs: Inputs, rng: torch.Generator) -> Inputs:
    """Drop whole variables, a stretch of time, and single readings, so that a sparse record is familiar too.

    The differences of the readings left stay those of the whole record: a device that forgets to send still measured.
    """
    mask = inputs["mask"].clone()
    batch, _ = mask.shape
    some = torch.rand(batch, generator=rng)
    variables = 1 + int(inputs["variables"].max())
    kept = torch.rand((batch, variables), generator=rng) > 0.15 * (some < 0.5)[:, None]
    mask &= kept.gather(1, inputs["variables"])
    start, length = _uniform(batch, -72, 0, rng), _uniform(batch, 0, 24, rng) * (torch.rand(batch, generator=rng) < 0.3)
    gap = (inputs["times_h"] >= start[:, None]) & (inputs["times_h"] < (start + length)[:, None])
    mask &= ~gap
    rate = torch.where(some > 0.8, _uniform(batch, 0.02, 1, rng), _uniform(batch, 0.4, 1, rng))
    mask &= torch.rand(mask.shape, generator=rng) < rate[:, None]
    empty = ~mask.any(1)
    mask[empty] = inputs["mask"][empty]
    return {**inputs, "mask": mask}


def drop_facts(inputs: Inputs, rng: torch.Generator) -> Inputs:
    """Forget single facts, so that a case of unknown age or sex is familiar; one fact stays."""
    mask = inputs["mask"] & (torch.rand(inputs["mask"].shape, generator=rng) > 0.15)
    empty = ~mask.any(1)
    mask[empty] = inputs["mask"][empty]
    return {"values": inputs["values"] * mask, "mask": mask}


def _uniform(n: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=rng)
