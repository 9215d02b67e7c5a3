"""The text in an attachment: inline or behind a reference, plain, rich or HTML text, or a CDA document."""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
from collections.abc import Callable
from email.message import Message
from typing import Literal

from services.ehr.fhir.html_text import html_to_text
from services.ehr.fhir.reading import Json, refuse

ATTACHMENT = "DocumentReference.content[0].attachment"
CDA_TYPES = frozenset(
    {"application/xml", "text/xml", "application/cda", "application/cda+xml", "application/hl7-v3+xml"}
)
RTF_TYPES = frozenset({"text/rtf", "application/rtf"})
_READ = "text/plain, text/html, text/rtf, or a CDA document as application/cda+xml or text/xml"

Fetch = Callable[[str, str], bytes]
"""(url, content type) -> the bytes behind it. Raises: UnusableResource, Unavailable."""
Format = Literal["plain", "cda", "rtf"]


def read_attachment(attachment: Json, fetch: Fetch) -> tuple[str, Format]:
    """The text of an attachment and what it is to the notes service. Raises: UnusableResource, Unavailable."""
    header = Message()
    header["Content-Type"] = attachment.get("contentType") or ""
    kind = header.get_content_type()
    if "contentType" not in attachment or kind not in {"text/plain", "text/html", *RTF_TYPES, *CDA_TYPES}:
        refuse(f"{ATTACHMENT}.contentType", "is of a kind that is not read", f"send {_READ}")
    content = _bytes(attachment, fetch)
    if kind in RTF_TYPES:
        # A character for each byte: the document names its character sets itself.
        return content.decode("latin-1"), "rtf"
    if kind in CDA_TYPES:
        return _decoded(content, _declared(content)), "cda"
    text = _decoded(content, str(header.get_param("charset") or "utf-8"))
    return (html_to_text(text) if kind == "text/html" else text), "plain"


def _bytes(attachment: Json, fetch: Fetch) -> bytes:
    if attachment.get("data"):
        content = _inline(str(attachment["data"]))
    elif attachment.get("url"):
        content = fetch(str(attachment["url"]), str(attachment["contentType"]))
    else:
        refuse(f"{ATTACHMENT}.data", "is missing", "send the text inline in base64, or the `url` of a Binary")
    if "size" in attachment and attachment["size"] != len(content):
        refuse(f"{ATTACHMENT}.size", "is not the length of the data", "send the bytes before base64, or leave it out")
    # SHA-1 is what FHIR R4 asks for here: it finds accidents, not attackers.
    if "hash" in attachment and attachment["hash"] != sha1_of(content):
        refuse(f"{ATTACHMENT}.hash", "is not the hash of the data", "send the data's SHA-1 in base64, or leave it out")
    return content


def _inline(data: str) -> bytes:
    try:
        # Base64 in FHIR may hold white space between its characters.
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        refuse(f"{ATTACHMENT}.data", "is not base64", "send the text in base64 (RFC 4648 section 4)")


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(codecs.lookup(charset).name)
    except (LookupError, UnicodeDecodeError):
        refuse(f"{ATTACHMENT}.data", "is not text in the stated charset", "send UTF-8 text")


def _declared(content: bytes) -> str:
    """The encoding in the XML declaration (XML 1.0 section 4.3.3); UTF-8 where it names none."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declaration, _, _ = content[:200].partition(b"?>")
    _, found, rest = declaration.partition(b"encoding=")
    return rest[1:].split(rest[:1], 1)[0].decode("ascii", "replace") if found and rest else "utf-8-sig"


def sha1_of(content: bytes) -> str:
    """The hash as FHIR writes it."""
    return base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
