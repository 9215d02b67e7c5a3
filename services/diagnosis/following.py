"""A worker's models, as the registry wants them: the active bundle, a canary, a shadow; loaded once and kept.

The registry is asked before each case, so that the case after a promotion or a rollback is answered by the bundle that
the log then names. A thread asks too, so that a bundle is loaded before a case needs it. Where the registry does not
answer, what it said last holds; a worker that has never heard of it is not ready.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from services.diagnosis.bundle.errors import BundleError
from services.diagnosis.domain import NOTHING_ACTIVE
from services.diagnosis.errors import NoActiveBundle, NotRegistered
from services.diagnosis.registry import RegistryClient
from services.diagnosis.running import Assigned, Loaded, Predictor, ServingStage
from services.diagnosis.shelf import Shelf
from shared.contracts.models import ServedBundle, Serving
from shared.errors import AppError, origin_of

BUCKETS = 10_000
log = structlog.get_logger(__name__)


@dataclass
class Follower:
    """`Models` that follow the registry. Safe from several threads: what is loaded is replaced as a whole."""

    registry: RegistryClient
    shelf: Shelf
    prepare: Callable[[Predictor], Loaded]
    """Makes a bundle that was read ready to answer."""
    every_s: float
    _serving: Serving | None = None
    _loaded: dict[str, Loaded] = field(default_factory=dict)
    _announced: set[str] = field(default_factory=set)
    _refused: set[tuple[str, int]] = field(default_factory=set)
    """Digests, and how much lay there: a bundle that is still being copied is looked at again when more has come."""
    _unreachable: bool = False
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _loading: threading.RLock = field(default_factory=threading.RLock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Follow from now on."""
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Follow no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def preload(self) -> None:
        """Load the bundle that this suite came with while the registry may not be up yet; it does not answer by that.

        Raises: BundleError.
        """
        loaded = self.prepare(self.shelf.reader.load(self.shelf.settings.bundle_dir))
        self._loaded = {**self._loaded, loaded.predictor.bundle.digest: loaded}

    def assign(self, subject: str) -> Assigned:
        """The bundle that answers for a patient now.

        Args: subject: the patient's pseudonym; the same one falls to the same bundle while the canary stays.
        Raises: NoActiveBundle: the registry names none that lies here.
        """
        serving = self._ask()
        if serving is not None and serving.canary is not None and is_drawn(subject, serving):
            # A worker that could not load it yet leaves its patients to the active bundle.
            canary = self._loaded.get(serving.canary.digest)
            if canary is not None:
                return Assigned(canary, ServingStage.CANARY)
        return Assigned(self._active(serving), ServingStage.PRODUCTION)

    def active(self) -> Loaded:
        """The bundle that answers where no patient decides. Raises: NoActiveBundle."""
        return self._active(self._ask())

    def shadow(self) -> Loaded | None:
        """The bundle that answers beside, for nobody to see; None where there is none here."""
        wanted = self._serving.shadow if self._serving is not None else None
        return self._loaded.get(wanted.digest) if wanted is not None else None

    def with_digest(self, digest: str) -> Loaded | None:
        """A bundle that is at hand."""
        return self._loaded.get(digest)

    def forget(self) -> None:
        """Have every bundle drop what it kept of earlier cases."""
        for loaded in self._loaded.values():
            loaded.predictor.forget()

    def ready_digest(self) -> str | None:
        """The digest of the active bundle, if it could answer at once; asks nobody and waits for nothing.

        Empty where the registry was heard and its active bundle is not at hand; None where it was never heard.
        """
        serving = self._serving
        if serving is None:
            return None
        active = serving.active
        return active.digest if active is not None and active.digest in self._loaded else ""

    def follow(self) -> None:
        """Tell of new bundles, ask, load what is named, and let go of what is not."""
        try:
            self._announce()
        except AppError as error:
            self._tell_unreachable(error)
        serving = self._ask()
        if serving is None:
            return
        for wanted in (serving.active, serving.canary, serving.shadow):
            if wanted is not None:
                self._ensure(wanted)
        # What a rollback would need is kept if it is here already.
        named = (serving.active, serving.canary, serving.shadow, serving.previous)
        kept = {one.digest for one in named if one is not None}
        with self._loading:
            if self.ready_digest():
                self._loaded = {digest: loaded for digest, loaded in self._loaded.items() if digest in kept}

    def _ask(self) -> Serving | None:
        """What the registry says, or said last."""
        with self._asking:
            try:
                serving = self.registry.serving()
            except AppError as error:
                self._tell_unreachable(error)
                return self._serving
            if self._unreachable:
                log.info("the model registry answers again")
                self._unreachable = False
            if serving != self._serving:
                log.info("the registry names the bundles that answer", **_named(serving))
                self._serving = serving
            return serving

    def _active(self, serving: Serving | None) -> Loaded:
        if serving is not None and serving.active is not None:
            self._ensure(serving.active)
            found = self._loaded.get(serving.active.digest)
            if found is not None:
                return found
        raise NoActiveBundle(f"Nobody is diagnosed yet: {NOTHING_ACTIVE}.")

    def _ensure(self, wanted: ServedBundle) -> None:
        if wanted.digest in self._loaded:
            return
        with self._loading:
            if wanted.digest not in self._loaded:
                self._load(wanted)

    def _load(self, wanted: ServedBundle) -> None:
        directory = self.shelf.find(wanted.digest)
        if directory is None:
            log.warning("a bundle that the registry names does not lie here", **_of("bundle", wanted))
            return
        try:
            loaded = self.prepare(self.shelf.reader.load(directory))
        except BundleError as error:
            log.error("bundle refused", problem=error.slug, **_of("bundle", wanted))
            return
        if loaded.predictor.bundle.digest == wanted.digest:
            self._loaded = {**self._loaded, wanted.digest: loaded}

    def _announce(self) -> None:
        """Tell the registry of bundles that it may not know from here; the one that came along may become active."""
        for directory, identity in list(self.shelf.found()):
            seen = (identity.digest, self.shelf.size(directory))
            if identity.digest in self._announced or seen in self._refused:
                continue
            try:
                model_id = self.registry.announce(self.shelf.reader.describe(directory))
                if directory == self.shelf.settings.bundle_dir:
                    self.registry.activate_locally(model_id)
                self._announced.add(identity.digest)
            except (BundleError, NotRegistered) as error:
                self._refused.add(seen)
                log.error("bundle refused", directory=directory.name, problem=error.slug, detail=error.detail)

    def _tell_unreachable(self, error: AppError) -> None:
        if not self._unreachable:
            log.warning("the model registry does not answer; what it said last holds", problem=error.slug)
        self._unreachable = True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.follow()
            except Exception as error:
                # Whatever is wrong with a bundle that somebody put there, the thread must live on.
                log.error("following the registry failed", error=type(error).__name__, at=origin_of(error))
            self._stop.wait(self.every_s)


def is_drawn(subject: str, serving: Serving) -> bool:
    """Whether a patient falls to the canary: by a hash, so that the answer is the same everywhere and each time.

    A larger share keeps whom the smaller had; another canary draws others.
    """
    if serving.canary is None:
        return False
    drawn = hashlib.sha256(f"{serving.canary.digest}\x1f{subject}".encode()).digest()
    return int.from_bytes(drawn[:8]) % BUCKETS < serving.canary_percent * BUCKETS // 100


def _named(serving: Serving) -> dict[str, str]:
    """The bundles that answer, for a line of the service's own log."""
    found: dict[str, str] = {}
    for stage, bundle in (("active", serving.active), ("canary", serving.canary), ("shadow", serving.shadow)):
        found |= _of(stage, bundle) if bundle is not None else {}
    return found


def _of(name: str, bundle: ServedBundle) -> dict[str, str]:
    return {name: f"{bundle.name} {bundle.version} {bundle.digest[:19]}"}
