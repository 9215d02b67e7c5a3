from __future__ import annotations

import pytest

from services.diagnosis.model.preprocessing.views import VIEWS, view_index


@pytest.mark.parametrize(
    ("position", "view"),
    [
        ("PA", "PA"),
        ("AP", "AP"),
        ("AP Supine", "AP"),
        ("LL", "lateral"),
        ("Lateral", "lateral"),
        ("", "unknown"),
        (None, "unknown"),
        ("OBLIQUE", "unknown"),
    ],
)
def test_a_view_position_is_read_as_dicom_writes_it(position: str | None, view: str) -> None:
    assert VIEWS[view_index(position)] == view
