"""Every site has its own mixture of scanners, and what a machine may not do is not among them."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest

from services.diagnosis.ward.population import SITES, Person
from services.diagnosis.ward.scanners import NEW_SCANNER, NEW_SITE, STANDARD_IMAGING, Imaging, Scanner

ALL = [
    scanner
    for imaging in (STANDARD_IMAGING, NEW_SCANNER, NEW_SITE)
    for scanners in (*imaging.sites.values(), imaging.elsewhere)
    for scanner in scanners
]


def person(site: str) -> Person:
    return Person(60, "F", 3, site)


def test_each_site_has_machines_of_its_own() -> None:
    models = [{scanner.model for scanner in STANDARD_IMAGING.scanners(site)} for site in SITES]
    assert len(set.union(*models)) == sum(len(of_site) for of_site in models)


def test_scanners_come_by_their_shares() -> None:
    rng = np.random.default_rng(1)
    counts = Counter(STANDARD_IMAGING.draw("harbour", rng)[0].model for _ in range(4000))
    for scanner in STANDARD_IMAGING.scanners("harbour"):
        # Shares of a site add up to 1 here; four standard errors of a proportion at n = 4000.
        assert counts[scanner.model] / 4000 == pytest.approx(scanner.share, abs=0.032)


def test_bedside_images_are_ap_and_some_lie() -> None:
    rng = np.random.default_rng(2)
    views = [NEW_SITE.draw("anywhere", rng)[1] for _ in range(500)]
    assert {view.position for view in views if view.bedside} == {"AP"}
    assert not any(view.supine for view in views if not view.bedside)
    assert {view.supine for view in views if view.bedside} == {True, False}


def test_unseen_machines_stand_at_no_training_site() -> None:
    seen = {scanner.model for scanners in STANDARD_IMAGING.sites.values() for scanner in scanners}
    for imaging in (NEW_SCANNER, NEW_SITE):
        assert not seen & {scanner.model for scanner in imaging.scanners(SITES[0])}


def test_a_site_without_scanners_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"'elsewhere'.*add it to `sites`"):
        STANDARD_IMAGING.scanners("elsewhere")


@pytest.mark.parametrize("imaging", [STANDARD_IMAGING, NEW_SCANNER, NEW_SITE], ids=lambda imaging: imaging.name)
def test_imaging_travels_to_other_processes(imaging: Imaging) -> None:
    assert pickle.loads(pickle.dumps(imaging)) == imaging  # noqa: S301  # our own bytes


@pytest.mark.parametrize("scanner", ALL, ids=lambda scanner: scanner.model)
def test_formats_keep_to_their_information_object(scanner: Scanner) -> None:
    """DX: identity rescale and ImagerPixelSpacing (PS3.3 C.8.11.3, C.8.11.4); tables need non-negative integers."""
    form = scanner.format
    if scanner.modality == "DX":
        assert form.rescale == ((1.0, 0.0),)
        assert form.spacing != "absent"
    if "LUT" in form.voi:
        assert form.rescale == ((1.0, 0.0),)
    assert all(10 <= bits <= 16 for bits in form.bits)
    assert sum(form.transfer_syntaxes.values()) == pytest.approx(1)
