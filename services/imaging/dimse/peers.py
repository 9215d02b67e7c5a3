"""Who may open an association, and as whom it is recorded."""

from __future__ import annotations

from typing import Any

import structlog

from services.imaging.settings import Settings
from shared.auth import Principal, Role
from shared.ids import uuid7

ISSUER = "dimse"
# A-ASSOCIATE-RJ (PS3.8 section 9.3.4): rejected permanent, by the service user, calling AE title not recognised.
CALLING_TITLE_NOT_RECOGNISED = (0x01, 0x01, 0x03)

log = structlog.get_logger(__name__)


def turn_strangers_away(event: Any, settings: Settings) -> None:
    """Reject an association whose calling AE title, or the address it comes from, is not on the list.

    pynetdicom's `require_calling_aet` knows no addresses; its event for a requested association may reject it.
    """
    assoc = event.assoc
    if _is_listed(assoc, settings):
        return
    # The title is what the caller wrote, which may be anything: it is not logged.
    log.warning("association rejected", reason="calling AE title not recognised", address=assoc.requestor.address)
    assoc.acse.send_reject(*CALLING_TITLE_NOT_RECOGNISED)
    assoc.kill()


def _is_listed(assoc: Any, settings: Settings) -> bool:
    title = str(assoc.requestor.primitive.calling_ae_title).strip()
    try:
        return settings.may_call(title, str(assoc.requestor.address))
    except ValueError:
        # An address that cannot be read is on no list. pynetdicom goes on when a handler raises: it would let it in.
        return False


def principal_of(ae_title: str, tenant: str, session_id: str) -> Principal:
    """The actor of what an application entity does. DIMSE has no tokens: it is who it says it is."""
    return Principal(ISSUER, ae_title, Role.EHR_SYSTEM, tenant, client_id=None, jti=session_id)


def caller_of(assoc: Any, tenant: str) -> Principal:
    """The actor of everything that comes on one association."""
    if not hasattr(assoc, "consilium_id"):
        assoc.consilium_id = uuid7()
    return principal_of(str(assoc.requestor.ae_title).strip(), tenant, str(assoc.consilium_id))
