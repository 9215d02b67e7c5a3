from __future__ import annotations

import json

import pytest

from services.diagnosis.model.config import ModelConfig


def test_a_configuration_survives_json() -> None:
    config = ModelConfig()
    assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_an_unknown_key_is_refused() -> None:
    value = ModelConfig().to_json() | {"colour": "blue"}
    with pytest.raises(ValueError, match="colour"):
        ModelConfig.from_json(value)


def test_a_missing_key_is_refused() -> None:
    value = ModelConfig().to_json()
    del value["image"]["side"]
    with pytest.raises(ValueError, match="side"):
        ModelConfig.from_json(value)


def test_a_bundle_from_before_the_running_summaries_has_none() -> None:
    value = ModelConfig().to_json()
    for key in ("running_bins", "running_width", "running_dropout"):
        del value["vitals"][key]
    assert ModelConfig.from_json(value) == ModelConfig()
    del value["vitals"]["queries"]
    with pytest.raises(ValueError, match="queries"):
        ModelConfig.from_json(value)
