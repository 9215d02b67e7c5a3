"""TLS for DICOM (PS3.15 annex B, BCP 195): the listener's certificate, the callers' where they must show one."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from services.imaging.settings import Settings
from shared.secret_files import check_secret

SILENCE_S = 30.0
"""How long a handshake, or the rest of a message that has begun, is waited for."""


class DeferringContext(ssl.SSLContext):
    """Leaves the handshake to the thread of the association.

    pynetdicom wraps each connection in its one listening thread: there, a caller that connects and says nothing would
    keep all others out.
    """

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        """The connection, which shakes hands when it is first read."""
        sock.settimeout(SILENCE_S)
        return super().wrap_socket(sock, *args, **{**options, "do_handshake_on_connect": False})


def listener_context(settings: Settings) -> ssl.SSLContext | None:
    """What the listener speaks; None where TLS is off.

    Raises: RuntimeError: a certificate, key or list of authorities cannot be read.
    """
    if settings.dimse_tls_certificate_file is None:
        return None
    context = DeferringContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, settings)
    if settings.dimse_tls_client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def caller_context(settings: Settings) -> ssl.SSLContext | None:
    """What our own associations speak: TLS where the listener does, with the same certificate and authorities."""
    if settings.dimse_tls_certificate_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    _load(context, settings)
    return context


def _load(context: ssl.SSLContext, settings: Settings) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = settings.dimse_tls_certificate_file, settings.dimse_tls_key_file
    assert certificate is not None  # noqa: S101  # checked by the callers
    if key is not None:
        check_secret(key)
    try:
        context.load_cert_chain(certificate, key)
        if settings.dimse_tls_client_ca_file is not None:
            context.load_verify_locations(settings.dimse_tls_client_ca_file)
    except OSError as error:
        # ssl's errors name the file's fault and never its content.
        raise RuntimeError(
            f"the DICOM TLS files cannot be used ({error.strerror or error}); check "
            "CONSILIUM_IMAGING_DIMSE_TLS_CERTIFICATE_FILE, _KEY_FILE and _CLIENT_CA_FILE: PEM, key without passphrase"
        ) from error
