"""Fetches attachments that a DocumentReference names by `url`: a Binary below the one configured FHIR base.

A sender chooses the url, so it is a way into the network: only Binary ids below the base are asked for, redirects are
never followed, and neither size nor time is the other side's to choose.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from pathlib import Path

import httpx

from services.ehr.fhir.attachments import ATTACHMENT
from services.ehr.fhir.reading import refuse
from services.ehr.settings import EhrSettings
from shared.certificates import authorities
from shared.errors import Unavailable
from shared.secret_files import read_secret

_BINARY = re.compile(r"Binary/[A-Za-z0-9][A-Za-z0-9\-.]{0,63}")
_URL = f"{ATTACHMENT}.url"


class AttachmentClient:
    """The FHIR server whose Binary resources may be read; none where no base is configured."""

    def __init__(self, settings: EhrSettings) -> None:
        base = settings.attachment_base_url
        self._base = base.rstrip("/") + "/" if base else None
        self._token_file, self._limit = settings.attachment_token_file, settings.attachment_max_bytes
        self._seconds = settings.attachment_timeout_s
        self._http = httpx.Client(timeout=self._seconds, follow_redirects=False, verify=authorities(), trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, url: str, kind: str) -> bytes:
        """The bytes of an attachment. Raises: UnusableResource: not to be had. Unavailable: not now."""
        target = self._target(url)
        deadline = time.monotonic() + self._seconds
        try:
            with self._http.stream("GET", target, headers=_headers(kind, self._token_file)) as response:
                _check(response)
                content = self._read(response, deadline)
                is_resource = "json" in response.headers.get("content-type", "") and "json" not in kind
        except httpx.HTTPError as error:
            # The error's words hold the url, which names a document of a patient.
            raise Unavailable("The server that holds the attachment is not answering; nothing was stored.") from error
        return _data_of(content) if is_resource else content

    def _target(self, url: str) -> str:
        if self._base is None:
            refuse(
                _URL, "is not followed here", "send the text inline in `data`, or set CONSILIUM_EHR_ATTACHMENT_BASE_URL"
            )
        path = url.removeprefix(self._base)
        # `fullmatch` leaves no way out of the base: no other host, no `..`, no query.
        if not _BINARY.fullmatch(path):
            refuse(
                _URL, "is no Binary of the FHIR server configured here", "send `Binary/<id>` of that server, or `data`"
            )
        return self._base + path

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > self._limit:
                refuse(_URL, f"leads to more than {self._limit} bytes", "send one note at a time")
            if time.monotonic() > deadline:
                raise Unavailable("The server that holds the attachment is too slow; nothing was stored.")
        return bytes(content)


def _headers(kind: str, token_file: Path | None) -> dict[str, str]:
    # A server may answer with the bytes or with the Binary resource (FHIR R4, section 2.19).
    # Compressed, few bytes could become many before they are counted.
    accept = {"Accept": f"{kind}, application/fhir+json;q=0.5", "Accept-Encoding": "identity"}
    # Read anew for each request, because tokens are rotated.
    token = {"Authorization": f"Bearer {read_secret(token_file)}"} if token_file else {}
    return {**accept, **token}


def _check(response: httpx.Response) -> None:
    if response.status_code >= 500 or response.status_code == 429:
        raise Unavailable("The server that holds the attachment is not answering; nothing was stored.")
    if response.status_code != 200:
        problem = f"was answered {response.status_code} by the server that holds it"
        refuse(_URL, problem, "check that the Binary exists and may be read; redirects are not followed")


def _data_of(content: bytes) -> bytes:
    """The bytes in a Binary resource."""
    try:
        return base64.b64decode(json.loads(content)["data"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        refuse(_URL, "leads to no Binary with data", "check the document at its server")
