"""The bundles that lie at a worker's hand, by digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.diagnosis.bundle.errors import BundleError
from services.diagnosis.bundle.evidence import Announcement, describe
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.layout import MANIFEST
from services.diagnosis.bundle.manifest import read_manifest
from services.diagnosis.running import Predictor
from services.diagnosis.settings import DiagnosisSettings
from shared.digests import digest_json

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class BundleReader:
    """How bundles are read; tests of the machinery bring one of their own."""

    identify: Callable[[Path], BundleIdentity]
    """From the manifest alone, unchecked: cheap."""
    describe: Callable[[Path], Announcement]
    """Verified. Raises: BundleError."""
    load: Callable[[Path], Predictor]
    """Verified and ready to answer. Raises: BundleError."""


def _identify(directory: Path) -> BundleIdentity:
    manifest = read_manifest(directory)
    return BundleIdentity(manifest["name"], manifest["version"], digest_json(manifest))


def _load(directory: Path) -> Predictor:
    # Importing torch takes seconds; tests of the machinery never need it.
    from services.diagnosis.inference import predictor

    return predictor.Predictor.load(directory)


SIGNED_BUNDLES = BundleReader(_identify, describe, _load)


@dataclass(frozen=True)
class Shelf:
    """`bundle_dir`, and every directory below `bundles_dir` that holds a bundle; looked through anew each time."""

    settings: DiagnosisSettings
    reader: BundleReader

    def find(self, digest: str) -> Path | None:
        """The directory whose manifest has this digest."""
        return next((directory for directory, identity in self.found() if identity.digest == digest), None)

    def found(self) -> Iterator[tuple[Path, BundleIdentity]]:
        """Directories and what their manifests say, unchecked. One that cannot be read is told of and left out."""
        for directory in self._directories():
            try:
                yield directory, self.reader.identify(directory)
            except BundleError as error:
                log.error("a bundle cannot be read", directory=directory.name, problem=error.slug)

    def size(self, directory: Path) -> int:
        """Bytes of all files of a directory."""
        return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())

    def _directories(self) -> Iterator[Path]:
        yield self.settings.bundle_dir
        folder = self.settings.bundles_dir
        if folder is not None and folder.is_dir():
            yield from sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
