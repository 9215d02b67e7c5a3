"""QIDO-RS, the search transaction (PS3.18 section 10.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.imaging.api.deps import ReaderDep, RootDep, SeriesUid, SettingsDep, StudyUid
from services.imaging.api.negotiation import DICOM_JSON, json_type
from services.imaging.api.wado import PRIVATE
from services.imaging.settings import Settings
from services.imaging.store import InstanceRow
from services.imaging.usecases import reads
from shared.auth import Principal
from shared.database import reading
from shared.errors import BadRequest, NotAcceptable
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

if TYPE_CHECKING:
    from sqlalchemy.orm import InstrumentedAttribute

router = APIRouter(prefix="/dicomweb", tags=["dicomweb"])
_FOUND: Answers = {
    200: {"description": "What matches.", "content": {DICOM_JSON: {}, "application/json": {}}},
    204: {"description": "Nothing matches."},
    **refusals(BadRequest, NotAcceptable),
}

STUDY = (
    "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
    "TimezoneOffsetFromUTC", "StudyDescription", "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyInstanceUID", "StudyID",
)  # fmt: skip
SERIES = (
    "Modality", "SeriesDescription", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "BodyPartExamined",
    "Laterality", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
)  # fmt: skip
INSTANCE = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "Rows", "Columns",
    "BitsAllocated", "NumberOfFrames", "PhotometricInterpretation",
)  # fmt: skip


@dataclass(frozen=True)
class Level:
    """One level of the search: what identifies a match, and what is told of it."""

    name: str
    columns: tuple[InstrumentedAttribute[str], ...]
    keywords: tuple[str, ...]


_STUDIES = Level("studies", (InstanceRow.study_instance_uid,), STUDY)
_SERIES = Level("series", (*_STUDIES.columns, InstanceRow.series_instance_uid), SERIES)
_INSTANCES = Level("instances", (*_SERIES.columns, InstanceRow.sop_instance_uid), INSTANCE)


@router.get("/studies", response_class=Response, responses=_FOUND)
def search_studies(
    request: Request,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Studies, newest first. 204 when none matches."""
    return _search(_STUDIES, {}, request, reader, session, runtime, settings, request_id, root)


@router.get("/series", response_class=Response, responses=_FOUND)
def search_series(
    request: Request,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Series of all studies, newest first. 204 when none matches."""
    return _search(_SERIES, {}, request, reader, session, runtime, settings, request_id, root)


@router.get("/instances", response_class=Response, responses=_FOUND)
def search_instances(
    request: Request,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Instances of all studies, newest first. 204 when none matches."""
    return _search(_INSTANCES, {}, request, reader, session, runtime, settings, request_id, root)


@router.get("/studies/{study}/series", response_class=Response, responses=_FOUND)
def search_series_of_study(
    request: Request,
    study: StudyUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Series of one study. 204 when none matches."""
    within = {"StudyInstanceUID": study}
    return _search(_SERIES, within, request, reader, session, runtime, settings, request_id, root)


@router.get("/studies/{study}/instances", response_class=Response, responses=_FOUND)
def search_instances_of_study(
    request: Request,
    study: StudyUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Instances of one study. 204 when none matches."""
    within = {"StudyInstanceUID": study}
    return _search(_INSTANCES, within, request, reader, session, runtime, settings, request_id, root)


@router.get("/studies/{study}/series/{series}/instances", response_class=Response, responses=_FOUND)
def search_instances_of_series(
    request: Request,
    study: StudyUid,
    series: SeriesUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Instances of one series. 204 when none matches."""
    within = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    return _search(_INSTANCES, within, request, reader, session, runtime, settings, request_id, root)


def _search(
    level: Level,
    within: dict[str, str],
    request: Request,
    reader: Principal,
    session: SessionDep,
    runtime: Runtime,
    settings: Settings,
    request_id: str,
    root: str,
) -> Response:
    from services.imaging.api.qido_query import Query
    from services.imaging.search import condition, find_groups

    media_type = json_type(request.headers.get("accept", ""))
    query = Query.parse(request.query_params.multi_items(), settings.max_search_results)
    where = [condition(keyword, value) for keyword, value in [*within.items(), *query.matching]]
    with reading(runtime.sessions) as lookup:
        groups, more = find_groups(lookup, runtime.common.tenant, level.columns, where, query.limit, query.offset)
    headers = PRIVATE | _warnings(query.fuzzy, more)
    if not groups:
        reads.record_search(session, runtime, reader, level.name, request_id)
        return Response(status_code=204, headers=headers)
    reads.record_read(session, runtime, reader, "dicom-searched", [rows[0] for rows in groups], request_id)
    models = [_told(level, rows, query.include, root) for rows in groups]
    return JSONResponse(models, media_type=media_type, headers=headers)


def _warnings(fuzzy: bool, more: int) -> dict[str, str]:
    """What a client must know of its answer (PS3.18 sections 8.3.4.2 and 8.3.4.4)."""
    told = []
    if fuzzy:
        told.append("The fuzzymatching parameter is not supported. Only literal matching has been performed.")
    if more:
        told.append(f"There are {more} additional results that can be requested")
    return {"Warning": ", ".join(f'299 consilium "{text}"' for text in told)} if told else {}


def _told(level: Level, rows: Sequence[InstanceRow], include: Sequence[str] | None, root: str) -> dict[str, Any]:
    """The attributes of one match (PS3.18 tables 10.6.3-3 to 10.6.3-5)."""
    from services.imaging.dicom.json_model import element, pick

    first = rows[0]
    header = first.header_json()
    told = {
        **(header if include is None else pick(header, [*level.keywords, *include])),
        **element("InstanceAvailability", "ONLINE"),
    }
    url = f"{root}/studies/{first.study_instance_uid}"
    if level is not _STUDIES:
        url += f"/series/{first.series_instance_uid}"
    if level is _INSTANCES:
        url += f"/instances/{first.sop_instance_uid}"
    if level is _SERIES:
        told |= element("NumberOfSeriesRelatedInstances", len(rows))
    if level is _STUDIES:
        told |= element("ModalitiesInStudy", *sorted({row.modality for row in rows if row.modality}))
        told |= element("NumberOfStudyRelatedSeries", len({row.series_instance_uid for row in rows}))
        told |= element("NumberOfStudyRelatedInstances", len(rows))
    return told | element("RetrieveURL", url)
