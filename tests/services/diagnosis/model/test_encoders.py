"""What an encoder of another size or kind owes the rest of the network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from services.diagnosis.model.config import ImageConfig, NoteConfig
from services.diagnosis.model.image_encoder import ImageEncoder
from services.diagnosis.model.network import parameter_count
from services.diagnosis.model.note_encoder import NoteEncoder
from services.diagnosis.model.preprocessing.sections import SECTIONS
from services.diagnosis.model.preprocessing.views import VIEWS

DENSENET_121 = ImageConfig(side=64, init_features=64, growth_rate=32, block_config=(6, 12, 24, 16), groups=8)
VIT = ImageConfig(side=64, backbone="vit", patch=16, hidden=96, layers=2, heads=4, intermediate=192)
SMALL = ImageConfig(side=64)


def pixels(batch: int, images: int, side: int) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    return {
        "pixels": torch.rand(batch, images, 1, side, side, generator=rng),
        "present": torch.ones(batch, images, dtype=torch.bool),
        "views": torch.randint(0, len(VIEWS), (batch, images), generator=rng),
    }


@pytest.mark.parametrize(("config", "grid"), [(SMALL, 8), (DENSENET_121, 2), (VIT, 4)])
def test_the_grid_is_what_the_backbone_leaves_of_the_image(config: ImageConfig, grid: int) -> None:
    encoder = ImageEncoder(32, 4, config).eval()
    with torch.no_grad():
        cells = encoder.grid_features(torch.rand(2, 1, config.side, config.side))
    assert (config.grid, tuple(cells.shape)) == (grid, (2, grid * grid, 32))


def test_a_densenet_121_has_the_size_of_the_paper() -> None:
    # 6,953,856 without classifier for three input channels (torchvision's `features`); one channel saves 2 * 64 * 49.
    features = ImageEncoder(32, 4, DENSENET_121).backbone
    assert parameter_count(features) == 6_953_856 - 2 * 64 * 49


@pytest.mark.parametrize("config", [SMALL, VIT])
def test_an_image_reads_the_same_in_any_batch(config: ImageConfig) -> None:
    torch.manual_seed(0)
    encoder, inputs = ImageEncoder(32, 4, config).eval(), pixels(3, 2, config.side)
    with torch.no_grad():
        together = encoder(inputs).pooled
        alone = torch.cat([encoder({k: v[i : i + 1] for k, v in inputs.items()}).pooled for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_the_view_counts_once_it_was_learned() -> None:
    torch.manual_seed(0)
    encoder, inputs = ImageEncoder(32, 4, SMALL).eval(), pixels(1, 1, 64)
    of = [{**inputs, "views": torch.tensor([[view]])} for view in range(len(VIEWS))]
    with torch.no_grad():
        before = torch.cat([encoder(one).pooled for one in of])
        torch.nn.init.normal_(encoder.views.weight)
        after = torch.cat([encoder(one).pooled for one in of])
    assert torch.equal(before[:1].expand_as(before), before)
    assert torch.cdist(after, after).fill_diagonal_(1).min() > 1e-4


@pytest.mark.parametrize("change", [{"side": 100}, {"backbone": "vit", "patch": 30}, {"backbone": "resnet"}])
def test_an_image_configuration_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"multiple|backbone"):
        replace(ImageConfig(), **change)  # type: ignore[arg-type]


def test_section_age_and_context_reach_every_piece_of_a_note() -> None:
    torch.manual_seed(0)
    encoder = NoteEncoder(32, 4, NoteConfig(window=16)).eval()
    shape = (1, 1, 10)
    plain = {name: torch.zeros(shape, dtype=torch.long) for name in ("contexts", "sections")}
    plain |= {"input_ids": torch.full(shape, 9), "attention": torch.ones(shape, dtype=torch.long)}
    plain |= {"ages": torch.zeros(shape[:2], dtype=torch.long)}
    changed = [
        plain,
        {**plain, "contexts": plain["contexts"] + 1},
        {**plain, "sections": plain["sections"] + len(SECTIONS) - 1},
        {**plain, "ages": plain["ages"] + 3},
    ]
    with torch.no_grad():
        bare = encoder({name: plain[name] for name in ("input_ids", "attention", "contexts")}).pooled
        torch.testing.assert_close(encoder(plain).pooled, bare)
        for embedding in (encoder.contexts, encoder.sections, encoder.ages):
            torch.nn.init.normal_(embedding.weight)
        answers = torch.cat([encoder(inputs).pooled for inputs in changed])
    assert torch.cdist(answers, answers).fill_diagonal_(1).min() > 1e-4
