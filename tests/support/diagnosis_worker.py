"""The real worker process with the arithmetic predictor: `python -m tests.support.diagnosis_worker`."""

from __future__ import annotations

import sys

from services.diagnosis.settings import DiagnosisSettings
from services.diagnosis.worker import work
from shared.settings import CommonSettings
from shared.telemetry import configure_logging
from tests.support.diagnosis_predictor import ARITHMETIC

if __name__ == "__main__":
    configure_logging()
    sys.exit(work(DiagnosisSettings(), CommonSettings(), ARITHMETIC))
