"""Associations as a modality opens them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE

from tests.services.imaging.conftest import Imaging
from tests.services.imaging.radiographs import DX_PRESENTATION, encoded

SUCCESS = 0x0000
VERIFICATION = "1.2.840.10008.1.1"


@contextmanager
def association(
    imaging: Imaging, sop_class_uid: str = DX_PRESENTATION, syntaxes: list[Any] | None = None, title: str = "MODALITY"
) -> Iterator[Any]:
    ae = AE(ae_title=title)
    ae.add_requested_context(sop_class_uid, syntaxes or [ExplicitVRLittleEndian])
    assoc = ae.associate("127.0.0.1", imaging.dimse_port, ae_title="CONSILIUM")
    assert assoc.is_established or assoc.is_rejected or assoc.is_aborted
    try:
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


def send(
    imaging: Imaging, *instances: Dataset, syntax: UID = ExplicitVRLittleEndian, title: str = "MODALITY"
) -> list[int]:
    """C-STORE data sets as they are; the status of each."""
    with association(imaging, instances[0].SOPClassUID, [syntax], title) as assoc:
        return [int(assoc.send_c_store(ds).Status) for ds in instances]


def parsed(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """The data set as a sender would read it from a file."""
    return pydicom.dcmread(BytesIO(encoded(ds, syntax)))
