from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.diagnosis.case import CaseInput
from services.diagnosis.inference.encodings import Encodings, digest_of
from services.diagnosis.inference.engine import EncodedModality, Engine
from services.diagnosis.inference.inputs import Prepared
from services.diagnosis.inference.predictor import Predictor


def prepared(value: float, statistic: float = 0.0) -> Prepared:
    return Prepared({"x": torch.full((1, 3), value)}, np.array([statistic]), {}, None)


def test_what_was_just_encoded_is_not_encoded_again() -> None:
    kept, done = Encodings[float](newest=2), list[float]()

    def ask(value: float) -> float:
        def encode() -> float:
            done.append(value)
            return -value

        return kept.of("note", prepared(value), encode)

    assert [ask(1), ask(1), ask(2), ask(1), ask(3)] == [-1, -1, -2, -1, -3]
    assert done == [1, 2, 3]
    ask(2)  # the least recently used of three had to go
    ask(3)
    assert done == [1, 2, 3, 2]


def test_all_that_an_encoder_is_given_counts() -> None:
    digests = {digest_of(prepared(1)), digest_of(prepared(2)), digest_of(prepared(1, 0.5))}
    digests.add(digest_of(Prepared({"y": torch.full((1, 3), 1.0)}, np.zeros(1), {}, None)))
    digests.add(digest_of(Prepared({"x": torch.full((3, 1), 1.0)}, np.zeros(1), {}, None)))
    assert len(digests) == 5


def test_with_new_vital_signs_the_vitals_alone_are_encoded(
    predictor: Predictor, case: CaseInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    encode = Engine._encode

    def counted(engine: Engine, name: str, part: Prepared) -> EncodedModality:
        done.append(name)
        return encode(engine, name, part)

    monkeypatch.setattr(Engine, "_encode", counted)
    assert case.vitals is not None
    later = replace(case, vitals=replace(case.vitals, values=case.vitals.values + 0.01))
    fresh = replace(predictor, engine=replace(predictor.engine))
    fresh.predict(case)
    assert sorted(done) == ["image", "note", "tabular", "vitals"]
    done.clear()
    again = fresh.predict(later)
    assert done == ["vitals"]
    anew = replace(predictor, engine=replace(predictor.engine)).predict(later)
    assert [d.probability for d in again.diagnoses] == [d.probability for d in anew.diagnoses]
