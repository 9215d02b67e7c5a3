"""`configs/metadata.json`: the bundle described as MONAI describes its bundles, for tools that read those.

Fields: MONAI Bundle Specification, https://docs.monai.io/en/stable/mb_specification.html. There is no `inference.json`:
MONAI's configurations run Python expressions on being parsed, and a bundle of ours holds nothing that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version as installed
from typing import Any

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import MODALITIES
from shared.codes import FACTS, SEVERITIES

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
PACKAGES = ("safetensors", "scikit-learn", "scipy", "tokenizers", "transformers")


def monai_metadata(config: ModelConfig, card: Mapping[str, Any], *, name: str, version: str) -> dict[str, Any]:
    """The metadata of a bundle whose card this is; versions are those installed where it is written."""
    asked = ", 24-hour deterioration" if config.deterioration else ""
    asked += ", severity" if config.severity else ""
    return {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "changelog": {version: card.get("changes", "trained")},
        "monai_version": installed("monai"),
        "pytorch_version": installed("torch").partition("+")[0],
        "numpy_version": installed("numpy"),
        "required_packages_version": {package: installed(package) for package in PACKAGES},
        "task": f"Diagnosis{asked} from whichever of several modalities is at hand",
        "description": f"{card['warning']}. {card['outputs']}",
        "authors": "The Consilium developers",
        "copyright": f"Copyright the Consilium developers; {card['licence']}",
        "data_source": card["trainingData"],
        "data_type": "radiograph pixels, text, time series",
        "intended_use": card["intendedUse"],
        "network_data_format": {"inputs": _inputs(config), "outputs": {"pred": _prediction(config)}},
    }


def _inputs(config: ModelConfig) -> dict[str, Any]:
    side = config.image.side
    known: dict[str, dict[str, Any]] = {
        "image": {
            "type": "image",
            "format": "magnitude",
            "modality": "CR, DX",
            "num_channels": 1,
            "spatial_shape": [side, side],
            "dtype": "float32",
            "value_range": [0, 1],
            "is_patch_data": False,
            "channel_def": {"0": "brightness"},
        },
        "note": {"type": "tuples", "format": "text", "modality": "n/a", "dtype": "int64", "value_range": []},
        "vitals": {"type": "series", "format": "raw", "modality": "n/a", "dtype": "float32", "value_range": []},
    }
    known["tabular"] = {
        "type": "raw",
        "format": "raw",
        "modality": "age, sex, laboratory",
        "num_channels": len(FACTS),
        "dtype": "float32",
        "value_range": [],
        "channel_def": {str(number): fact.display for number, fact in enumerate(FACTS)},
    }
    other = {"type": "raw", "format": "raw", "modality": "n/a", "dtype": "float32", "value_range": []}
    return {name: known.get(name, other) for name in MODALITIES}


def _prediction(config: ModelConfig) -> dict[str, Any]:
    channels = [*(coding.display for coding in config.labels)]
    channels += ["Deterioration within 24 hours"] if config.deterioration else []
    channels += [f"Severity above {level.display.lower()}" for level in SEVERITIES[:-1]] if config.severity else []
    return {
        "type": "probabilities",
        "format": "multiclass",
        "num_channels": len(channels),
        "spatial_shape": [],
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {str(number): channel for number, channel in enumerate(channels)},
    }
