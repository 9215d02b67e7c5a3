"""What a hospital has on disk: a folder of DICOM radiographs and a FHIR R4 Bulk Data export."""

from services.diagnosis.datasets.hospital.dataset import Hospital
from services.diagnosis.datasets.hospital.options import HospitalOptions

__all__ = ["Hospital", "HospitalOptions"]
