"""DICOM TLS over real associations: pynetdicom's SCU, dcmtk's storescu where it is installed, and callers in clear."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from services.imaging.app import create_app
from services.imaging.settings import Settings
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.dimse.associations import SUCCESS, parsed
from tests.services.imaging.dimse.test_commitment import (
    ALL_COMMITTED,
    PUSH_MODEL,
    TITLE,
    Reports,
    ask,
    asked_for,
    slow_down,
    stored,
)
from tests.services.imaging.radiographs import DX_PRESENTATION, encoded, gradient, radiograph
from tests.support.common import TestBed

pytestmark = [
    pytest.mark.usefixtures("broken_connections"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Authority:
    """A certificate authority of this test's own, and what it issues."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._issue(name, self._key, is_authority=True)
        self.file = self._write(f"{name}.pem", self._certificate)

    def _issue(self, name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._directory / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files of an end entity at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        key_file = self._directory / f"{name}.key"
        key_file.touch(mode=0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return self._write(f"{name}.crt", self._issue(name, key, is_authority=False)), key_file


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The hospital's authority."""
    return Authority(tmp_path, "hospital")


@contextmanager
def secured(bed: TestBed, database_url: str, authority: Authority, **settings: Any) -> Iterator[Imaging]:
    """An imaging service whose listener speaks TLS."""
    certificate, key = authority.issue("consilium")
    files = {"dimse_tls_certificate_file": certificate, "dimse_tls_key_file": key}
    with started(bed, database_url, **files, **settings) as imaging:
        yield imaging


def context_of(authority: Authority, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    if own is not None:
        context.load_cert_chain(*own)
    return context


def store(imaging: Imaging, context: ssl.SSLContext | None) -> int | None:
    """The status of a C-STORE; None where no association came about."""
    ae = AE(ae_title="MODALITY")
    ae.acse_timeout = ae.connection_timeout = 5
    ae.add_requested_context(DX_PRESENTATION, ExplicitVRLittleEndian)
    tls_args = (context, "127.0.0.1") if context else None
    assoc = ae.associate("127.0.0.1", imaging.dimse_port, tls_args=tls_args)
    if not assoc.is_established:
        return None
    try:
        return int(assoc.send_c_store(parsed(radiograph(gradient(700, 800)))).get("Status", -1))
    finally:
        assoc.release()


def test_an_instance_is_stored_over_tls(bed: TestBed, database_url: str, authority: Authority) -> None:
    with secured(bed, database_url, authority) as imaging:
        assert store(imaging, context_of(authority)) == SUCCESS
        assert len(imaging.instances()) == 1


def test_a_caller_in_clear_is_not_served_and_the_next_one_over_tls_is(
    bed: TestBed, database_url: str, authority: Authority
) -> None:
    with secured(bed, database_url, authority) as imaging:
        assert store(imaging, None) is None
        assert store(imaging, context_of(authority)) == SUCCESS


def test_a_caller_must_show_a_certificate_of_the_authority_where_one_is_configured(
    bed: TestBed, database_url: str, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with secured(bed, database_url, authority, dimse_tls_client_ca_file=authority.file) as imaging:
        assert store(imaging, context_of(authority, authority.issue("modality"))) == SUCCESS
        for own in (None, stranger.issue("intruder")):
            assert store(imaging, context_of(authority, own)) is None
        assert len(imaging.instances()) == 1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_versions_before_1_2_are_refused(bed: TestBed, database_url: str, authority: Authority) -> None:
    old = context_of(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with (
        secured(bed, database_url, authority) as imaging,
        socket.create_connection(("127.0.0.1", imaging.dimse_port), timeout=5) as connection,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(connection, server_hostname="127.0.0.1")


def test_a_caller_that_connects_and_says_nothing_keeps_nobody_out(
    bed: TestBed, database_url: str, authority: Authority
) -> None:
    with (
        secured(bed, database_url, authority) as imaging,
        socket.create_connection(("127.0.0.1", imaging.dimse_port)),
        socket.create_connection(("127.0.0.1", imaging.dimse_port)),
    ):
        assert store(imaging, context_of(authority)) == SUCCESS


def test_storage_commitment_is_reported_over_tls_too(bed: TestBed, database_url: str, authority: Authority) -> None:
    reports, (certificate, key) = Reports(), authority.issue("modality")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate, key)
    listening = AE(ae_title=TITLE)
    listening.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
    server: Any = listening.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=reports.handlers, ssl_context=theirs
    )
    settings: dict[str, Any] = {
        "dimse_tls_client_ca_file": authority.file,
        "commitment_addresses": {TITLE: f"127.0.0.1:{server.server_address[1]}"},
    }
    with secured(bed, database_url, authority, **settings) as imaging:
        ae = AE(ae_title=TITLE)
        ae.add_requested_context(PUSH_MODEL)
        tls_args = context_of(authority, (certificate, key)), "127.0.0.1"
        assoc = ae.associate("127.0.0.1", imaging.dimse_port, tls_args=tls_args)
        ds = asked_for(stored(imaging))
        slow_down(imaging)
        assert ask(assoc, ds) == SUCCESS
        assoc.release()
        assert reports.next()[0] == ALL_COMMITTED
    listening.shutdown()


@pytest.mark.parametrize("options", [["+tls"], ["+tla"]], ids=["mutual", "without a certificate"])
def test_dcmtk_stores_over_tls(
    bed: TestBed, database_url: str, authority: Authority, tmp_path: Path, options: list[str]
) -> None:
    storescu = shutil.which("storescu")
    if storescu is None:
        pytest.skip("dcmtk's storescu is not installed (apt-get install dcmtk)")
    path = tmp_path / "x.dcm"
    path.write_bytes(encoded(radiograph()))
    settings: dict[str, Any] = {}
    if options == ["+tls"]:
        certificate, key = authority.issue("modality")
        settings, options = {"dimse_tls_client_ca_file": authority.file}, ["+tls", str(key), str(certificate)]
    with secured(bed, database_url, authority, **settings) as imaging:
        command = [storescu, "-R", *options, "+cf", str(authority.file), "127.0.0.1", str(imaging.dimse_port)]
        done = subprocess.run([*command, str(path)], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert len(imaging.instances()) == 1


def test_tls_files_without_a_certificate_are_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="CONSILIUM_IMAGING_DIMSE_TLS_CERTIFICATE_FILE"):
        Settings(database_url="sqlite://", dimse_tls_client_ca_file=Path("ca.pem"))


def test_unreadable_tls_files_are_named_with_their_settings(bed: TestBed, database_url: str, tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    app = create_app(Settings(database_url=database_url, dimse_port=0, dimse_tls_certificate_file=broken), bed.common)
    with pytest.raises(RuntimeError, match="CONSILIUM_IMAGING_DIMSE_TLS_CERTIFICATE_FILE"), TestClient(app):
        pass
