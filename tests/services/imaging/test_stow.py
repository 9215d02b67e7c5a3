"""STOW-RS over HTTP: what is stored, what is refused, and how both are told."""

from __future__ import annotations

from tests.services.imaging.conftest import Imaging
from tests.services.imaging.radiographs import encoded, radiograph

REFERENCED, FAILED, REASON = "00081199", "00081198", "00081197"


def test_a_radiograph_is_stored(imaging: Imaging) -> None:
    ds = radiograph()
    answer = imaging.stow(encoded(ds))
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()[REFERENCED]["Value"]
    assert item["00081155"]["Value"] == [ds.SOPInstanceUID]
