"""MIMIC-IV with its emergency department, notes and radiographs, as PhysioNet publishes them."""

from services.diagnosis.datasets.mimic.dataset import Mimic
from services.diagnosis.datasets.mimic.options import MimicOptions

__all__ = ["Mimic", "MimicOptions"]
