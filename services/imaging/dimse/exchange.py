"""Sending a report to whoever asked: on the association on which it was asked, or on one of our own.

pynetdicom's own `send_n_event_report` takes the next message for its answer and ends the association when it is
another one. On an association that the peer opened, it may well be the peer's next C-STORE, or its release. So there
this module does the same in its own loop, and serves what comes in between.
"""

from __future__ import annotations

import time
from io import BytesIO
from ssl import SSLContext
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import encode

from services.imaging.dimse.commitment import SOP_CLASS, SOP_INSTANCE, SUCCESS
from services.imaging.settings import PeerAddress

ANSWER_S, CONNECT_S = 30.0, 5.0
POLL_S = 0.002


def report_on(assoc: Any, event_type: int, ds: Dataset) -> bool:
    """Report on the association of the peer that asked; False where it is not there any more or does not take it."""
    context = next((cx for cx in assoc.accepted_contexts if cx.abstract_syntax == SOP_CLASS), None)
    if context is None or not assoc.is_established:
        return False
    deadline = time.monotonic() + ANSWER_S
    assoc._reactor_checkpoint.clear()
    try:
        while not _reactor_waits(assoc):  # it serves a request, or has ended and will never wait
            if not assoc.is_established or time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        if not assoc.is_established:
            return False
        assoc.dimse.send_msg(_request(context, event_type, ds), context.context_id)
        return _answered(assoc)
    finally:
        assoc._reactor_checkpoint.set()


def _reactor_waits(assoc: Any) -> bool:
    """Whether the reactor stands at its checkpoint, where nobody else ever waits.

    `_is_paused` is true while it serves a request, too: our report would come before the answer to that request.
    """
    return bool(assoc._reactor_checkpoint._cond._waiters)


def _request(context: Any, event_type: int, ds: Dataset) -> N_EVENT_REPORT:
    syntax = context.transfer_syntax[0]
    request = N_EVENT_REPORT()
    request.MessageID, request.EventTypeID = 1, event_type
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = SOP_CLASS, SOP_INSTANCE
    encoded = encode(ds, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    request.EventInformation = BytesIO(encoded or b"")
    return request


def _answered(assoc: Any) -> bool:
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline and assoc.is_established:
        context_id, message = assoc.dimse.get_msg(block=False)
        if isinstance(message, N_EVENT_REPORT) and message.is_valid_response:
            return bool(message.Status == SUCCESS)
        if message is not None:
            assoc._serve_request(message, context_id)
        elif assoc.dul.peek_next_pdu() is not None:  # a release or an abort: the reactor's business
            return False
        else:
            time.sleep(POLL_S)
    return False


def report_to(
    address: PeerAddress, our_title: str, their_title: str, tls: SSLContext | None, event_type: int, ds: Dataset
) -> bool:
    """Report on an association of our own, in the role of the provider (PS3.4 section J.3.3)."""
    ae = AE(ae_title=our_title)
    ae.connection_timeout = CONNECT_S
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ANSWER_S
    ae.add_requested_context(SOP_CLASS)
    role = build_role(SOP_CLASS, scp_role=True)
    tls_args = (tls, address.host) if tls else None
    assoc = ae.associate(address.host, address.port, ae_title=their_title, ext_neg=[role], tls_args=tls_args)
    if not assoc.is_established:
        return False
    try:
        status, _ = assoc.send_n_event_report(ds, event_type, SOP_CLASS, SOP_INSTANCE)
        return "Status" in status and status.Status == SUCCESS
    except (RuntimeError, ValueError):
        # The peer accepted the association without storage commitment, or left it.
        return False
    finally:
        assoc.release()
