from __future__ import annotations

from typing import Any

import pytest
import torch

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.network import ConsiliumNetwork, parameter_count

CONFIG = ModelConfig()


@pytest.fixture(scope="module")
def network() -> ConsiliumNetwork:
    torch.manual_seed(0)
    return ConsiliumNetwork(CONFIG).eval().requires_grad_(False)


def image_inputs(batch: int, images: int = 1) -> Inputs:
    rng = torch.Generator().manual_seed(2)
    pixels = torch.rand(batch, images, 1, CONFIG.image.side, CONFIG.image.side, generator=rng)
    return {"pixels": pixels, "present": torch.ones(batch, images, dtype=torch.bool)}


def note_inputs(batch: int, windows: int = 2, pieces: int = 40) -> Inputs:
    rng = torch.Generator().manual_seed(3)
    shape = (batch, windows, pieces)
    return {
        "input_ids": torch.randint(5, CONFIG.note.vocab_size, shape, generator=rng),
        "attention": torch.ones(shape, dtype=torch.long),
        "contexts": torch.randint(0, 3, shape, generator=rng),
    }


def vitals_inputs(batch: int, readings: int = 50) -> Inputs:
    rng = torch.Generator().manual_seed(4)
    return {
        "readings": torch.randn(batch, readings, 4, generator=rng),
        "times_h": -72 * torch.rand(batch, readings, generator=rng),
        "clock_h": 24 * torch.rand(batch, readings, generator=rng),
        "variables": torch.randint(0, 8, (batch, readings), generator=rng),
        "mask": torch.ones(batch, readings, dtype=torch.bool),
    }


def tabular_inputs(batch: int) -> Inputs:
    rng = torch.Generator().manual_seed(5)
    known = torch.rand(batch, CONFIG.tabular.variables, generator=rng) < 0.5
    known[:, 0] = True
    return {"values": torch.randn(known.shape, generator=rng) * known, "mask": known}


ALL: dict[str, Any] = {
    "image": image_inputs,
    "note": note_inputs,
    "vitals": vitals_inputs,
    "tabular": tabular_inputs,
}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_encoder_gives_tokens_and_a_pooled_vector(network: ConsiliumNetwork, name: str) -> None:
    encoded = network.encoder(name)(ALL[name](3))
    assert encoded.tokens.shape == (3, CONFIG.tokens, CONFIG.dim)
    assert encoded.pooled.shape == (3, CONFIG.dim)


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_case_is_encoded_the_same_alone_as_in_a_batch(network: ConsiliumNetwork, name: str) -> None:
    inputs = ALL[name](4)
    together = network.encoder(name)(inputs).pooled
    alone = [network.encoder(name)({key: value[i : i + 1] for key, value in inputs.items()}).pooled for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


def test_an_absent_modality_is_not_run(network: ConsiliumNetwork) -> None:
    ran: list[str] = []
    hooks = [network.encoder(name).register_forward_hook(lambda *_, name=name: ran.append(name)) for name in ALL]
    encoded = network.encode({"note": note_inputs(1), "vitals": vitals_inputs(1)})
    for hook in hooks:
        hook.remove()
    assert (sorted(ran), sorted(encoded)) == (["note", "vitals"], ["note", "vitals"])


def test_padding_of_a_note_changes_nothing(network: ConsiliumNetwork) -> None:
    inputs = note_inputs(1)
    padded = {key: torch.nn.functional.pad(value, (0, 7)) for key, value in inputs.items()}
    torch.testing.assert_close(
        network.encoder("note")(inputs).pooled, network.encoder("note")(padded).pooled, atol=1e-5, rtol=0
    )


def test_an_empty_place_for_an_image_changes_nothing(network: ConsiliumNetwork) -> None:
    inputs = image_inputs(1)
    pixels = torch.cat([inputs["pixels"], torch.rand_like(inputs["pixels"])], dim=1)
    with_gap = {"pixels": pixels, "present": torch.tensor([[True, False]])}
    torch.testing.assert_close(
        network.encoder("image")(inputs).pooled, network.encoder("image")(with_gap).pooled, atol=1e-5, rtol=0
    )


def test_the_order_of_readings_does_not_matter(network: ConsiliumNetwork) -> None:
    inputs = vitals_inputs(1)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    shuffled = {key: value[:, order] for key, value in inputs.items()}
    torch.testing.assert_close(
        network.encoder("vitals")(inputs).pooled, network.encoder("vitals")(shuffled).pooled, atol=1e-5, rtol=0
    )


def test_an_unknown_fact_changes_nothing(network: ConsiliumNetwork) -> None:
    inputs = tabular_inputs(1)
    other = torch.where(inputs["mask"], inputs["values"], torch.tensor(9.0))
    torch.testing.assert_close(
        network.encoder("tabular")(inputs).pooled,
        network.encoder("tabular")({**inputs, "values": other}).pooled,
        atol=1e-6,
        rtol=0,
    )


def test_the_demo_network_has_about_a_million_parameters(network: ConsiliumNetwork) -> None:
    assert 0.5e6 < parameter_count(network) < 2e6
