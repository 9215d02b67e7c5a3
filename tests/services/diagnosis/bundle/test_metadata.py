"""`configs/metadata.json` against what the installed MONAI itself demands; its JSON schema is only on the network."""

from __future__ import annotations

import json

import pytest
from packaging.version import Version

from services.diagnosis.bundle.layout import METADATA, MODEL_CONFIG
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.metadata import monai_metadata
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import MODALITIES
from shared.codes import DIAGNOSES

monai_bundle = pytest.importorskip("monai.bundle")
CARD = {"warning": "w", "outputs": "o", "trainingData": "t", "intendedUse": "i", "licence": "l"}
SHIPPED = json.loads((DEMO_BUNDLE / METADATA).read_text(encoding="utf-8"))


def test_monai_finds_every_property_that_it_knows_of_metadata() -> None:
    from monai.bundle.properties import MetaProperties

    parser = monai_bundle.ConfigParser({})
    parser.read_meta(str(DEMO_BUNDLE / METADATA))
    for name, about in dict[str, dict[str, str]](MetaProperties).items():  # type: ignore[arg-type]
        assert parser.get(about["id"], default=None) is not None, name


def test_it_has_every_field_of_monais_own_template() -> None:
    from monai.bundle.utils import DEFAULT_METADATA

    assert set(DEFAULT_METADATA) <= set(SHIPPED)


def test_every_channel_of_the_prediction_is_named() -> None:
    channels = SHIPPED["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert sorted(channels, key=int) == [str(k) for k in range(11)]
    assert [channels[str(k)] for k in range(8)] == [coding.display for coding in DIAGNOSES]


def test_a_step_of_the_severity_is_a_channel() -> None:
    metadata = monai_metadata(ModelConfig(), CARD, name="n", version="1.0.0")
    channels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert [channels[str(k)] for k in (9, 10)] == ["Severity above mild", "Severity above moderate"]


def test_every_modality_is_an_input() -> None:
    metadata = monai_metadata(ModelConfig(), CARD, name="n", version="1.0.0")
    assert tuple(metadata["network_data_format"]["inputs"]) == MODALITIES


def test_the_image_is_as_large_as_the_model_takes_it() -> None:
    side = json.loads((DEMO_BUNDLE / MODEL_CONFIG).read_text(encoding="utf-8"))["config"]["image"]["side"]
    assert SHIPPED["network_data_format"]["inputs"]["image"]["spatial_shape"] == [side, side]


def test_versions_are_of_what_is_installed() -> None:
    import numpy
    import torch

    metadata = monai_metadata(ModelConfig(), CARD, name="n", version="1.0.0")
    assert Version(metadata["pytorch_version"]) == Version(Version(torch.__version__).public)
    assert metadata["numpy_version"] == numpy.__version__
