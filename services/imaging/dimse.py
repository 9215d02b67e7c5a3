"""The DIMSE door: an application entity that takes C-ECHO and C-STORE (PS3.4 annex B), one thread per association.

C-STORE is answered 0x0000 only after the bytes are synced and the row is committed. DIMSE has no tokens: the actor in
the audit log is the calling AE title, with the issuer `dimse`.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import structlog
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from services.imaging.dicom.syntaxes import SOP_CLASSES, TRANSFER_SYNTAXES
from services.imaging.settings import Settings
from services.imaging.usecases import ingest
from shared.auth import Principal, Role
from shared.errors import Unavailable
from shared.ids import uuid7
from shared.web import Runtime

SUCCESS, OUT_OF_RESOURCES, PROCESSING_FAILURE = 0x0000, 0xA700, 0x0110
MAX_PDU_BYTES = 131_072
ISSUER = "dimse"
STOP_S = 10.0

log = structlog.get_logger(__name__)


class DimseServer:
    """Listens for associations from `start` to `stop`."""

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        self._runtime, self._settings = runtime, settings
        self._ae = _application_entity(settings)
        self._server: Any = None

    @property
    def port(self) -> int:
        """The TCP port, once started."""
        return int(self._server.server_address[1])

    @property
    def listening(self) -> bool:
        """Whether associations are accepted."""
        return self._server is not None

    def start(self) -> None:
        """Begin listening.

        Raises: RuntimeError: the port is not free.
        """
        address = (self._settings.dimse_host, self._settings.dimse_port)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, _send_at_once),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_C_ECHO, _on_echo),
        ]
        try:
            self._server = self._ae.start_server(address, block=False, evt_handlers=handlers)
        except OSError as error:
            raise RuntimeError(
                f"DICOM port {address[1]} on {address[0]} cannot be opened ({error.strerror}); "
                "set CONSILIUM_IMAGING_DIMSE_PORT to a free one, or CONSILIUM_IMAGING_DIMSE_ENABLED=false"
            ) from error

    def stop(self) -> None:
        """Stop listening and abort what associations there are; their senders got no success and will send again."""
        self._server = None
        busy = self._ae.active_associations
        self._ae.shutdown()
        for assoc in busy:
            assoc.join(timeout=STOP_S)

    def _on_store(self, event: Any) -> int:
        try:
            return self._store(event)
        except Unavailable:
            log.error("instance not stored", reason="no room or store not answering")
            return OUT_OF_RESOURCES
        except Exception as error:
            # The sender must get an answer, whatever it was; a message might quote the instance.
            log.error("instance not stored", reason=type(error).__name__)
            return PROCESSING_FAILURE

    def _store(self, event: Any) -> int:
        runtime = self._runtime
        visit = ingest.Visit(_principal(event.assoc, runtime.common.tenant), "c-store", uuid7())
        # The data set as it came over the wire, behind file meta information of our own (PS3.10 section 7.1).
        examined = ingest.examine(
            runtime,
            event.encoded_dataset(),
            max_pixels=self._settings.max_pixels,
            sop_instance_uid=str(event.request.AffectedSOPInstanceUID),
        )
        with runtime.sessions.begin() as session:
            (outcome,) = ingest.file_instances(session, runtime, [examined], visit)
        runtime.wake_relay()
        return outcome.refusal.failure_reason if outcome.refusal else SUCCESS


def _application_entity(settings: Settings) -> AE:
    ae = AE(ae_title=settings.ae_title)
    ae.require_called_aet = settings.require_called_ae_title
    ae.maximum_associations = settings.dimse_max_associations
    ae.maximum_pdu_size = MAX_PDU_BYTES
    ae.network_timeout = ae.dimse_timeout = settings.dimse_timeout_s
    ae.add_supported_context(Verification)
    for sop_class_uid in SOP_CLASSES:
        ae.add_supported_context(sop_class_uid, list(TRANSFER_SYNTAXES))
    return ae


def _principal(assoc: Any, tenant: str) -> Principal:
    title = str(assoc.requestor.ae_title).strip()
    return Principal(ISSUER, title, Role.EHR_SYSTEM, tenant, client_id=None, jti=_association_id(assoc))


def _association_id(assoc: Any) -> str:
    """One id for all instances of an association."""
    if not hasattr(assoc, "consilium_id"):
        assoc.consilium_id = uuid7()
    return str(assoc.consilium_id)


def _on_echo(_: Any) -> int:
    return SUCCESS


def _send_at_once(event: Any) -> None:
    # Small answers wait for the peer's delayed acknowledgement otherwise: 40 ms an instance (Nagle's algorithm).
    with suppress(OSError, AttributeError):
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
