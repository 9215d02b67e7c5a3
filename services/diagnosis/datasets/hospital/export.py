"""The files of a FHIR Bulk Data export: newline-delimited JSON, one type of resource a file, any number of files.

FHIR Bulk Data Access IG 2.0.0; hl7.org/fhir/R4/nd-json.html.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from services.diagnosis.datasets.base import DatasetError, Place

Json = dict[str, Any]
TYPES = ("Patient", "Consent", "Encounter", "Condition", "Observation", "DocumentReference")
NEEDED = {
    "Patient": "nothing says who is who",
    "Consent": "nobody may be used for research without a consent",
    "Condition": "nothing says what the patients had",
}
_NAMED = re.compile(rf"(?:^|[._-])({'|'.join(TYPES)})(?=[._-])", re.IGNORECASE)
_ANY_NAME = re.compile(r"(?:^|[._-])([A-Z][A-Za-z]{3,})(?=[._-])")


@dataclass(frozen=True)
class Resource:
    """One resource and where it stands."""

    place: Place
    content: Json


def find_files(root: Path) -> dict[str, list[Path]]:
    """Type -> its files below a folder, in order.

    The type is the file's name (`Patient.ndjson`, `Observation.000.ndjson`, `1.Condition.ndjson`), or where the name
    does not say it, the first resource's. Files of other types are left alone.
    Raises: DatasetError: no file of a type that is needed; a first line that is no resource.
    """
    if not root.is_dir():
        raise DatasetError(Place(root), "The folder is missing.", "Correct --path.")
    found: dict[str, list[Path]] = {kind: [] for kind in TYPES}
    for file in sorted([*root.rglob("*.ndjson"), *root.rglob("*.ndjson.gz")]):
        kind = _kind_of(file)
        if kind in found:
            found[kind].append(file)
    for kind, why in NEEDED.items():
        if not found[kind]:
            raise DatasetError(Place(root), f"There is no {kind} file: {why}.", f"Export {kind} as {kind}.ndjson.")
    return found


def _kind_of(file: Path) -> str:
    named = _NAMED.search(file.name)
    if named:
        return next(kind for kind in TYPES if kind.lower() == named[1].lower())
    if _ANY_NAME.search(file.name):
        return ""  # another type's, such as Claim.000.ndjson
    first = next(_lines(file), None)
    return "" if first is None else str(_parse(*first).content["resourceType"])


def read_resources(file: Path, kind: str) -> Iterator[Resource]:
    """The resources of one file, one in memory at a time.

    Raises: DatasetError: unreadable file, a line that is no JSON, or no resource of this type with an id.
    """
    for place, line in _lines(file):
        resource = _parse(place, line)
        if resource.content["resourceType"] != kind:
            problem = f"The resource is no {kind}, as the others of this file are."
            raise DatasetError(place, problem, "Export one type of resource a file.")
        if not isinstance(resource.content.get("id"), str):
            raise DatasetError(place, "The resource has no id.", "Export it with the id it has on the server.")
        yield resource


def _lines(file: Path) -> Iterator[tuple[Place, bytes]]:
    number = 0
    try:
        with _open(file) as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield Place(file, number), line
    except (OSError, EOFError, zlib.error):
        raise DatasetError(Place(file, number + 1), "The file breaks off here.", "Export or copy it again.") from None


def _open(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]  # both read


def _parse(place: Place, line: bytes) -> Resource:
    try:
        content = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise DatasetError(place, "The line is not JSON.", "Write one resource a line, in UTF-8.") from None
    if not isinstance(content, dict) or not isinstance(content.get("resourceType"), str):
        raise DatasetError(place, "The line is no FHIR resource.", "Write one resource a line.")
    return Resource(place, content)
