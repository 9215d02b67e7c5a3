"""Whether what a message brings may be stored (`shared.storing`), said in the words of HL7 v2."""

from __future__ import annotations

from shared.auth import Principal
from shared.contracts.base import Modality
from shared.hl7v2.problems import StoringRefused
from shared.storing import StoringDenied
from shared.web import Runtime


def check_consent(runtime: Runtime, sender: Principal, patient: str, modality: Modality) -> None:
    """Raises: StoringRefused. Unavailable: nobody knows."""
    try:
        runtime.storing.check(sender, [patient], modality)
    except StoringDenied as denied:
        raise StoringRefused(denied.basis) from denied
