"""What the diagnosis service is told: `shared.contracts.evidence`."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.auth import Role
from shared.contracts.evidence import EvidenceList, RenderedImage
from tests.services.imaging.conftest import Imaging
from tests.services.imaging.radiographs import encoded, gradient, radiograph


def listed(imaging: Imaging, patient: str = "P-1", as_of: datetime | None = None) -> EvidenceList:
    question = {"patient": patient, "asOf": as_of.isoformat() if as_of else None}
    headers = imaging.bed.headers(Role.SERVICE)
    answer = imaging.client.post("/internal/imaging/evidence", json=question, headers=headers)
    assert answer.status_code == 200, answer.text
    return EvidenceList.model_validate_json(answer.text)


def content(imaging: Imaging, id_: str) -> RenderedImage:
    answer = imaging.client.get(f"/internal/imaging/evidence/{id_}", headers=imaging.bed.headers(Role.SERVICE))
    assert answer.status_code == 200, answer.text
    return RenderedImage.model_validate_json(answer.text)


def png_of(image: RenderedImage) -> np.ndarray[Any, Any]:
    with Image.open(BytesIO(base64.b64decode(image.png))) as png:
        return np.asarray(png)


def test_an_unknown_patient_is_not_known(imaging: Imaging) -> None:
    assert listed(imaging) == EvidenceList(known=False, items=[])


def test_a_stored_radiograph_is_evidence_of_its_acquisition_time(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph()))
    (item,) = listed(imaging).items
    (row,) = imaging.instances()
    assert (item.id, item.kind, item.digest) == (row.id, "image", row.digest)
    assert item.effective_at == datetime(2024, 1, 31, 7, 15, tzinfo=UTC)
    assert item.quality["photometricInterpretation"] == "MONOCHROME2"
    assert item.quality["blank"] is False


@pytest.mark.parametrize(
    "attributes",
    [{"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"}, {"PhotometricInterpretation": "CMYK"}],
    ids=["a CT slice", "cannot be shown"],
)
def test_what_no_network_can_see_is_no_evidence(imaging: Imaging, attributes: dict[str, Any]) -> None:
    imaging.stow(encoded(radiograph(**attributes)))
    assert listed(imaging) == EvidenceList(known=True, items=[])
    (row,) = imaging.instances()
    asked = imaging.client.get(f"/internal/imaging/evidence/{row.id}", headers=imaging.bed.headers(Role.SERVICE))
    assert asked.status_code == 404


def test_doubts_about_an_image_are_found_once_and_kept(imaging: Imaging, monkeypatch: pytest.MonkeyPatch) -> None:
    imaging.stow(encoded(radiograph(BodyPartExamined="HIP")))
    (item,) = listed(imaging).items
    first = content(imaging, item.id).findings
    assert {finding.name for finding in first} >= {"tiny", "other-body-part"}

    def fails(*_: object) -> None:
        raise AssertionError("found again")

    monkeypatch.setattr("services.imaging.dicom.quality.findings", fails)
    assert content(imaging, item.id).findings == first


def test_doubts_of_an_older_gate_are_found_anew(imaging: Imaging, monkeypatch: pytest.MonkeyPatch) -> None:
    imaging.stow(encoded(radiograph()))
    (item,) = listed(imaging).items
    content(imaging, item.id)
    monkeypatch.setattr("services.imaging.dicom.quality.VERSION", 2)
    monkeypatch.setattr("services.imaging.dicom.quality.findings", lambda *_: [])
    assert content(imaging, item.id).findings == []


def test_evidence_is_listed_newest_first(imaging: Imaging) -> None:
    imaging.stow(*(encoded(radiograph(StudyDate=date)) for date in ("20240101", "20240301", "20240201")))
    assert [item.effective_at.month for item in listed(imaging).items] == [3, 2, 1]


def test_later_evidence_than_as_of_is_left_out_and_the_patient_still_known(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph()))
    before = datetime(2024, 1, 31, 7, 14, 59, tzinfo=UTC)
    assert listed(imaging, as_of=before) == EvidenceList(known=True, items=[])
    assert len(listed(imaging, as_of=before + timedelta(seconds=1)).items) == 1


def test_a_wrong_clock_is_told_in_the_quality(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph(StudyDate="19700101")))
    (item,) = listed(imaging).items
    assert item.effective_at == item.received_at
    assert "1990" in item.quality["clock"]


def test_a_blank_image_is_told_in_the_quality(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph(np.full((30, 30), 9, np.uint16))))
    assert listed(imaging).items[0].quality["blank"] is True


def test_the_content_is_a_16_bit_png_of_the_whole_image(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph(gradient(700, 1024), WindowCenter=2048, WindowWidth=4096)))
    image = content(imaging, listed(imaging).items[0].id)
    pixels = png_of(image)
    assert pixels.shape == (350, 512)
    assert (image.rows, image.columns) == (700, 1024)
    assert pixels.max() > 65000
    assert len(np.unique(pixels)) > 3000


def test_an_image_is_rendered_when_it_is_first_asked_for_and_kept(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph()))
    (before,) = imaging.instances()
    first, second = content(imaging, before.id).png, content(imaging, before.id).png
    (after,) = imaging.instances()
    assert (before.renderable, before.rendered_digest, first) == (True, None, second)
    assert imaging.content(after, after.rendered_digest) == base64.b64decode(first)


def test_air_is_dark_in_monochrome1(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph(PhotometricInterpretation="MONOCHROME1")))
    pixels = png_of(content(imaging, listed(imaging).items[0].id))
    assert (pixels[0, 0], pixels[-1, -1]) == (65535, 0)


def test_the_content_says_what_the_networks_may_know(imaging: Imaging) -> None:
    ds = radiograph()
    imaging.stow(encoded(ds))
    image = content(imaging, listed(imaging).items[0].id)
    assert (image.modality, image.body_part_examined, image.view_position) == ("DX", "CHEST", "PA")
    assert (image.patient_sex, image.patient_age_years) == ("F", 64.0)
    assert image.sop_instance_uid == ds.SOPInstanceUID


def test_a_content_read_is_an_event_of_the_service_that_asked(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph()))
    id_ = listed(imaging).items[0].id
    content(imaging, id_)
    event = imaging.events()[-1]
    assert (event["subtype"], event["actor"]["role"], event["object"]["id"]) == ("image-read", "service", id_)


def test_an_unknown_id_is_404(imaging: Imaging) -> None:
    answer = imaging.client.get("/internal/imaging/evidence/none", headers=imaging.bed.headers(Role.SERVICE))
    assert answer.status_code == 404


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR, Role.ADMIN])
def test_only_services_may_ask(imaging: Imaging, role: Role) -> None:
    headers = imaging.bed.headers(role)
    question = {"patient": "P-1"}
    assert imaging.client.post("/internal/imaging/evidence", json=question, headers=headers).status_code == 403
    assert imaging.client.get("/internal/imaging/evidence/x", headers=headers).status_code == 403
