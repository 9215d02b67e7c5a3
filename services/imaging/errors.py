"""What can go wrong in the imaging service, by name.

Every reason for which an instance is not stored is a `Refused`, and carries what each door tells its sender: the
STOW-RS door its HTTP status and the DICOM failure reason (PS3.18 I.2.2), the C-STORE door the same reason as status
(PS3.4 B.2.3).
"""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.audit import ConsentBasis
from shared.errors import BadRequest, Conflict, FieldProblem, Forbidden, NotAcceptable, NotFound, UnsupportedMediaType
from shared.storing import DENIED


class Refused(Conflict):
    """An instance that is not stored, and why. The words never quote the instance."""

    failure_reason: ClassVar[int] = 0xC000
    """Failure Reason (0008,1197)."""
    unreadable: ClassVar[bool] = False
    """Whether the bytes could not even be read as a DICOM instance."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}", fields=[FieldProblem(field, problem, fix)])
        self.sop_class_uid = self.sop_instance_uid = ""

    def of(self, sop_class_uid: str, sop_instance_uid: str) -> Refused:
        """This refusal, naming the instance as far as it can be read."""
        self.sop_class_uid, self.sop_instance_uid = sop_class_uid, sop_instance_uid
        return self


class NotDicom(Refused):
    """The bytes are no DICOM file (PS3.10 section 7)."""

    slug, unreadable = "not-dicom", True


class TruncatedDicom(Refused):
    """The bytes end before the DICOM file does."""

    slug, unreadable = "truncated-dicom", True


class MissingIdentifier(Refused):
    """An identifier by which the instance is filed is absent, empty or not well formed."""

    slug, failure_reason = "missing-identifier", 0xA900


class UnsupportedSopClass(Refused):
    """Not an image that this service takes."""

    slug, failure_reason = "unsupported-sop-class", 0x0122


class UnsupportedTransferSyntax(Refused):
    """An encoding that this service cannot read."""

    slug, failure_reason = "unsupported-transfer-syntax", 0xC122


class NoPixelData(Refused):
    """An image object without an image."""

    slug, failure_reason = "no-pixel-data", 0xA900


class CannotBeShown(Refused):
    """Pixel data of which no image can be made. Such an instance is stored with a warning; asked for, it is a 409."""


class UnsupportedPixelData(CannotBeShown):
    """A pixel format, palette or lookup table that cannot be displayed."""

    slug, failure_reason = "unsupported-pixel-data", 0xA900


class TooManyPixels(Refused):
    """A larger image than any examination gives: decoding it could exhaust the machine."""

    slug, failure_reason = "too-many-pixels", 0xA900


class UndecodablePixelData(CannotBeShown):
    """The pixel data contradict the header, or no decoder can read them."""

    slug, failure_reason = "undecodable-pixel-data", 0xC000


class DecodingStopped(Refused):
    """Decoding crashed, or would have taken more memory or time than it may."""

    slug, failure_reason = "decoding-stopped", 0xC000


class WrongPatient(Refused):
    """The study or series is already known, and belongs to another patient."""

    slug, failure_reason = "wrong-patient", 0xA901


class WrongStudy(Refused):
    """The instance is not of the study that the URL names."""

    slug, failure_reason = "wrong-study", 0xA901


class WrongInstance(Refused):
    """The data set is not the instance that the C-STORE request announces."""

    slug, failure_reason = "wrong-instance", 0xA900


class ConsentDenied(Refused):
    """The patient's consents do not let images be stored."""

    slug, failure_reason = "consent-denies-storing", 0x0124

    def __init__(self, basis: ConsentBasis) -> None:
        super().__init__("PatientID", DENIED.problem, DENIED.fix)
        self.basis = basis


class OtherContent(Refused):
    """An instance with these UIDs is stored, with other content. What is stored is never overwritten."""

    slug, failure_reason = "duplicate-other-content", 0x0111


class MalformedMultipart(BadRequest):
    """The body is not the multipart/related message that its Content-Type announces."""

    slug = "malformed-multipart"


class NotADicomMessage(UnsupportedMediaType):
    """The Content-Type is not one that STOW-RS takes here."""


class NoSuchInstance(NotFound):
    """No stored instance has these identifiers."""


class NoSuchFrame(NotFound):
    """The instance has fewer frames."""


class CannotRender(NotAcceptable):
    """None of the media types or transfer syntaxes asked for can be made of this instance."""


class NoResearchConsent(Forbidden):
    """The patient has not permitted research with images."""

    slug = "no-research-consent"


class NothingToExport(Conflict):
    """Every instance of the study waits for somebody to look at it, or was kept back."""

    slug = "nothing-to-export"


class RegionOutside(BadRequest):
    """A region that is to be blanked is not within the image."""

    slug = "region-outside"


class MalformedQuery(BadRequest):
    """A search or rendering parameter that is not known or not well formed."""


def cannot_listen(host: str, port: int, error: OSError) -> RuntimeError:
    """The DICOM listener cannot open its port."""
    return RuntimeError(
        f"DICOM port {port} on {host} cannot be opened ({error.strerror}); "
        "set CONSILIUM_IMAGING_DIMSE_PORT to a free one, or CONSILIUM_IMAGING_DIMSE_ENABLED=false"
    )
