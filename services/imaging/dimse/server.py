"""The application entity that takes C-ECHO, C-STORE (PS3.4 annex B) and storage commitment, one thread per association.

C-STORE is answered 0x0000 only after the bytes are synced and the row is committed. DIMSE has no tokens: the actor in
the audit log is the calling AE title, with the issuer `dimse`.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

import structlog
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import
from sqlalchemy.exc import OperationalError

from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.syntaxes import SOP_CLASSES, TRANSFER_SYNTAXES
from services.imaging.dimse import commitment
from services.imaging.dimse.handed import HandedAssociationServer
from services.imaging.dimse.peers import caller_of, turn_strangers_away
from services.imaging.dimse.reporter import CommitmentReporter
from services.imaging.dimse.tls import caller_context, listener_context
from services.imaging.dimse.unasked import end_in_any_state
from services.imaging.errors import cannot_listen
from services.imaging.settings import Settings
from services.imaging.usecases import commitment as commitments
from services.imaging.usecases import ingest
from shared.errors import Unavailable
from shared.ids import uuid7
from shared.web import Runtime

SUCCESS, OUT_OF_RESOURCES, PROCESSING_FAILURE = 0x0000, 0xA700, 0x0110
STORED_WITH_WARNING = 0xB007
"""Stored, and no image can be made of it: the data set does not match its SOP class (PS3.4 table B.2-1)."""
MAX_PDU_BYTES = 131_072
STOP_S = 10.0
ASSOCIATE_S = 10.0
"""A connection on which no association is asked for is dropped; until then it counts as one."""

# pynetdicom writes every message out for its debug log, whether anybody keeps that or not.
_config.LOG_HANDLER_LEVEL = "none"

log = structlog.get_logger(__name__)


class DimseServer:
    """Listens for associations from `start` to `stop`."""

    def __init__(self, runtime: Runtime, settings: Settings, decoders: Decoders) -> None:
        self._runtime, self._settings, self._decoders = runtime, settings, decoders
        self._ae = _application_entity(settings)
        self._tls = listener_context(settings)
        self._reporter = CommitmentReporter(runtime, settings, caller_context(settings))
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
        try:
            self._server = self._ae.start_server(
                address, block=False, evt_handlers=self._handlers(), ssl_context=self._tls
            )
        except OSError as error:
            raise cannot_listen(*address, error) from error
        self._reporter.start()

    def start_on(self, channel: socket.socket) -> threading.Event:
        """Begin to serve the connections that come over a channel; the event is set when that is closed."""
        address = (self._settings.dimse_host, self._settings.dimse_port)
        server: Any = self._ae.make_server(
            address,
            evt_handlers=self._handlers(),
            ssl_context=self._tls,
            server_class=HandedAssociationServer,
            channel=channel,
        )
        self._ae._servers.append(server)  # as `start_server` does: `shutdown` ends what is there
        threading.Thread(target=server.serve_forever, name="handed-associations", daemon=True).start()
        self._server = server
        self._reporter.start()
        ended: threading.Event = server.ended
        return ended

    def _handlers(self) -> list[Any]:
        return [
            (evt.EVT_CONN_OPEN, _send_at_once),
            (evt.EVT_CONN_OPEN, end_in_any_state),
            (evt.EVT_REQUESTED, turn_strangers_away, [self._settings]),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_N_ACTION, self._on_commitment),
            (evt.EVT_C_ECHO, _on_echo),
        ]

    def stop(self) -> None:
        """Stop listening and abort what associations there are; their senders got no success and will send again."""
        self._server = None
        # One that is not established yet does nothing that must be waited for.
        busy = [assoc for assoc in self._ae.active_associations if assoc.is_established]
        self._ae.shutdown()
        for assoc in busy:
            assoc.join(timeout=STOP_S)
        self._reporter.stop()

    def _on_store(self, event: Any) -> int:
        try:
            return self._store(event)
        except (Unavailable, OperationalError):
            # A database on a full disk says so with an operational error.
            log.error("instance not stored", reason="no room or store not answering")
            return OUT_OF_RESOURCES
        except Exception as error:
            # The sender must get an answer, whatever it was; a message might quote the instance.
            log.error("instance not stored", reason=type(error).__name__)
            return PROCESSING_FAILURE

    def _store(self, event: Any) -> int:
        runtime = self._runtime
        visit = ingest.Visit(caller_of(event.assoc, runtime.common.tenant), "c-store", uuid7())
        # The data set as it came over the wire, behind file meta information of our own (PS3.10 section 7.1).
        examined = ingest.examine(
            runtime,
            event.encoded_dataset(),
            self._decoders,
            visit,
            sop_instance_uid=str(event.request.AffectedSOPInstanceUID),
        )
        with runtime.sessions.begin() as session:
            (outcome,) = ingest.file_instances(session, runtime, [examined], visit)
        runtime.wake_relay()
        if outcome.refusal:
            return outcome.refusal.failure_reason
        return STORED_WITH_WARNING if outcome.warning else SUCCESS

    def _on_commitment(self, event: Any) -> tuple[int, None]:
        try:
            return self._request_commitment(event), None
        except commitment.UnacceptableAction as refusal:
            return refusal.status, None
        except Exception as error:
            log.error("storage commitment not taken", reason=type(error).__name__)
            return PROCESSING_FAILURE, None

    def _request_commitment(self, event: Any) -> int:
        runtime = self._runtime
        asked = commitment.requested(event, runtime.clock())
        with runtime.sessions.begin() as session:
            queued = commitments.request(session, runtime, asked)
        if queued is None:
            return commitment.INVALID_ARGUMENT
        self._reporter.submit(queued, event.assoc)
        return SUCCESS


def _application_entity(settings: Settings) -> AE:
    ae = AE(ae_title=settings.ae_title)
    ae.require_called_aet = settings.require_called_ae_title
    ae.maximum_associations = settings.dimse_max_associations
    ae.maximum_pdu_size = MAX_PDU_BYTES
    ae.acse_timeout = ASSOCIATE_S
    ae.network_timeout = ae.dimse_timeout = settings.dimse_timeout_s
    ae.add_supported_context(Verification)
    ae.add_supported_context(commitment.SOP_CLASS)
    for sop_class_uid in SOP_CLASSES:
        ae.add_supported_context(sop_class_uid, list(TRANSFER_SYNTAXES))
    return ae


def _on_echo(_: Any) -> int:
    return SUCCESS


def _send_at_once(event: Any) -> None:
    # Small answers wait for the peer's delayed acknowledgement otherwise: 40 ms an instance (Nagle's algorithm).
    with suppress(OSError, AttributeError):
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
