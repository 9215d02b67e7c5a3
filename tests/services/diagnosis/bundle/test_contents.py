from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.diagnosis.bundle.contents import PARTS, read_bundle, write_bundle
from services.diagnosis.bundle.errors import BundleUnreadable, BundleUnsigned, NotABundle
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.parts import as_json, one_array, put_together, take_apart
from services.diagnosis.bundle.verification import verify_bundle
from services.diagnosis.inference.predictor import Predictor


@dataclass(frozen=True)
class Two:
    rate: float
    table: NDArray[np.float32] | None = None


TWO = (as_json("rate", "configs/two.json", float, float), one_array("table", np.float32, optional=True))


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    identity, contents = read_bundle(DEMO_BUNDLE)
    write_bundle(tmp_path / "again", contents, name=identity.name, version=identity.version)
    again = read_bundle(tmp_path / "again")[1]
    assert (again.config, again.prevalence) == (contents.config, contents.prevalence)
    assert again.calibrator.to_json() == contents.calibrator.to_json()
    np.testing.assert_array_equal(again.reference.vectors, contents.reference.vectors)
    for name, tensor in contents.weights.items():
        assert again.weights[name].equal(tensor)


def test_an_unsigned_bundle_is_not_loaded(bundle: Path) -> None:
    (bundle / "model.sig").unlink()
    with pytest.raises(BundleUnsigned):
        Predictor.load(bundle)


def test_what_lay_in_the_directory_before_is_gone(bundle: Path) -> None:
    identity, contents = read_bundle(DEMO_BUNDLE)
    assert (bundle / "configs" / "baselines.json").exists()
    write_bundle(bundle, contents, name=identity.name, version=identity.version)
    assert not (bundle / "configs" / "baselines.json").exists()
    verify_bundle(bundle)


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    identity, contents = read_bundle(DEMO_BUNDLE)
    with pytest.raises(NotABundle):
        write_bundle(tmp_path, contents, name=identity.name, version=identity.version)
    assert (tmp_path / "thesis.md").exists()


def test_a_bundle_of_other_labels_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.diagnosis.bundle.contents.CODES", ("1-1",))
    with pytest.raises(BundleUnreadable, match="vitals"):
        read_bundle(DEMO_BUNDLE)


def test_every_part_names_a_field_once() -> None:
    names = [part.field for part in PARTS]
    assert len(set(names)) == len(names)


def test_a_part_comes_back_from_json_and_arrays() -> None:
    documents, arrays = take_apart(TWO, Two(0.25, np.array([1, 2], np.float32)))
    assert documents == {"configs/two.json": {"rate": 0.25}}
    back = Two(**put_together(TWO, documents, arrays))
    assert back.rate == 0.25
    assert back.table is not None
    np.testing.assert_array_equal(back.table, [1, 2])


def test_an_optional_part_may_be_absent_and_another_may_not() -> None:
    documents, arrays = take_apart(TWO, Two(0.25))
    assert Two(**put_together(TWO, documents, arrays)) == Two(0.25)
    with pytest.raises(KeyError, match="rate"):
        put_together(TWO, {"configs/two.json": {}}, {})


def test_only_what_differs_differs(tmp_path: Path) -> None:
    identity, contents = read_bundle(DEMO_BUNDLE)
    other = replace(contents, prevalence=tuple(reversed(contents.prevalence)))
    changed = write_bundle(tmp_path / "other", other, name=identity.name, version=identity.version)
    same = write_bundle(tmp_path / "same", contents, name=identity.name, version=identity.version)
    assert changed.digest != same.digest
