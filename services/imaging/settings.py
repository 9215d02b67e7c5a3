"""Settings of the imaging service (`CONSILIUM_IMAGING_…`)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class PeerAddress(NamedTuple):
    """Where an application entity listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, value: Any) -> PeerAddress:
        """`host:port`. Raises: ValueError."""
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise ValueError("an address is `host:port`, such as 10.1.2.3:104")
        return cls(host.strip("[]"), int(port))


class Caller(NamedTuple):
    """An application entity that may open associations, from anywhere or from one network."""

    title: str
    network: IPv4Network | IPv6Network | None

    @classmethod
    def parse(cls, value: Any) -> Caller:
        """`TITLE` or `TITLE@address`. Raises: ValueError."""
        title, _, host = str(value).partition("@")
        if not 0 < len(title.strip()) <= 16:
            raise ValueError("a caller is an AE title of 1 to 16 characters, or `TITLE@address`")
        return cls(title.strip(), ip_network(host.strip()) if host else None)

    def is_at(self, address: str) -> bool:
        """Whether it may call from there. An IPv4 address may come as an IPv6 one: the listener may bind both."""
        if self.network is None:
            return True
        found = ip_address(address)
        return (getattr(found, "ipv4_mapped", None) or found) in self.network


class Settings(ServiceSettings):
    """What the imaging service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_IMAGING_", frozen=True, extra="ignore")

    dimse_enabled: bool = True
    """Whether this process listens for DICOM associations (C-ECHO, C-STORE)."""
    dimse_host: str = "127.0.0.1"
    """The address that the listener binds. DIMSE carries no token: open it to the hospital's imaging network only."""
    dimse_port: int = Field(default=11112, ge=0, le=65535)
    """0 takes any free port, to be read at `app.state.dimse_port`."""
    ae_title: str = Field(default="CONSILIUM", min_length=1, max_length=16)
    """Our application entity title."""
    require_called_ae_title: bool = False
    """Whether an association that calls another title is rejected."""
    dimse_processes: int = Field(default=2, ge=0)
    """Processes that serve associations, of which each takes in what one core can; 0: the web process does it."""
    dimse_max_associations: int = Field(default=32, gt=0)
    """Associations served at once; one more is told to come back later."""
    dimse_timeout_s: float = Field(default=60.0, gt=0)
    """A peer silent for longer is dropped."""
    allowed_callers: tuple[Annotated[Caller, BeforeValidator(Caller.parse)], ...] = ()
    """Who may open an association: `["CT_1", "PACS@10.1.2.3", "US@10.1.3.0/24"]`. Empty lets any title in."""
    commitment_addresses: dict[str, Annotated[PeerAddress, BeforeValidator(PeerAddress.parse)]] = {}
    """Where storage commitment is reported when the one who asked has hung up: `{"PACS": "10.1.2.3:104"}`."""
    dimse_tls_certificate_file: Path | None = None
    """Our certificate and what it chains to (PEM). With it the listener speaks TLS (1.2 or newer) and nothing else."""
    dimse_tls_key_file: Path | None = None
    """The certificate's private key (PEM, no passphrase); absent where the certificate file holds it."""
    dimse_tls_client_ca_file: Path | None = None
    """Authorities (PEM) of which callers must show a certificate; without, callers show none."""
    max_body_bytes: int = Field(default=256 * 2**20, gt=0)
    """A longer STOW-RS request is answered 413."""
    max_pixels: int = Field(default=64 * 10**6, gt=0)
    """Rows times columns beyond which an image is refused before it is decoded."""
    decoders: int = Field(default=2, gt=0)
    """Child processes that decode compressed images at once."""
    decoders_started_ahead: bool = True
    """Whether one of them is started with the service, so that the first compressed image does not wait for it."""
    decode_memory_bytes: int = Field(default=2 * 2**30, gt=0)
    """Memory that decoding one image may take."""
    decode_cpu_s: int = Field(default=30, gt=0)
    """Processor time that it may take."""
    decode_timeout_s: float = Field(default=60.0, gt=0)
    """Time by the clock that it may take, and that an image waits for a child that is free."""
    max_search_results: int = Field(default=200, gt=0)
    """The most that one QIDO-RS answer lists."""

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        others = (self.dimse_tls_key_file, self.dimse_tls_client_ca_file)
        if self.dimse_tls_certificate_file is None and any(others):
            # Without it the listener would be open where somebody meant to close it.
            raise ValueError("set CONSILIUM_IMAGING_DIMSE_TLS_CERTIFICATE_FILE too, or none of the TLS files")
        return self

    def for_one_receiver(self) -> Settings:
        """The settings of one of several receiving processes: its share of the associations."""
        share = -(-self.dimse_max_associations // self.dimse_processes)
        return self.model_copy(update={"dimse_max_associations": share})

    def may_call(self, title: str, address: str) -> bool:
        """Whether an application entity may open an association from an address."""
        callers = self.allowed_callers
        return not callers or any(caller.title == title and caller.is_at(address) for caller in callers)
