"""What the routes of this service share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from services.imaging.dicom.decoders import Decoders
from services.imaging.settings import Settings
from shared.auth import Principal, Role, require

UID_PATTERN = r"^[0-9][0-9.]{0,63}$"

SenderDep = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))]
"""Who may send instances."""
ReaderDep = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))]
"""Who may see them."""
ServiceDep = Annotated[Principal, Depends(require(Role.SERVICE))]
"""Our own services."""

StudyUid = Annotated[str, Path(pattern=UID_PATTERN, description="StudyInstanceUID")]
SeriesUid = Annotated[str, Path(pattern=UID_PATTERN, description="SeriesInstanceUID")]
SopUid = Annotated[str, Path(pattern=UID_PATTERN, description="SOPInstanceUID")]


def settings_of(request: Request) -> Settings:
    """FastAPI dependency: the settings of this service."""
    settings: Settings = request.app.state.settings
    return settings


def decoders_of(request: Request) -> Decoders:
    """FastAPI dependency: the children that decode."""
    decoders: Decoders = request.app.state.decoders
    return decoders


async def body_of(request: Request) -> bytes:
    """FastAPI dependency: the whole body, announced or chunked; `BodyLimit` bounds it."""
    return await request.body()


def dicomweb_root(request: Request) -> str:
    """FastAPI dependency: the URL of our DICOMweb service as this client calls it."""
    return str(request.base_url).rstrip("/") + "/dicomweb"


SettingsDep = Annotated[Settings, Depends(settings_of)]
DecodersDep = Annotated[Decoders, Depends(decoders_of)]
BodyDep = Annotated[bytes, Depends(body_of)]
RootDep = Annotated[str, Depends(dicomweb_root)]
