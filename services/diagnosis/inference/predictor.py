"""A case in, a prediction out. Importing this module is cheap: torch, MONAI and transformers come with `load`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.case import CaseInput
from services.diagnosis.inference.languages import readable_notes
from services.diagnosis.inference.prediction import ModalityOutcome, Prediction
from services.diagnosis.model.modalities import CONTEXT

if TYPE_CHECKING:
    from services.diagnosis.bundle.contents import BundleContents
    from services.diagnosis.inference.engine import EncodedModality, Engine
    from services.diagnosis.inference.inputs import Prepared, Preprocessor
    from services.diagnosis.inference.joint import CaseReader, JointReader
    from services.diagnosis.search.index import VectorIndex

OnStage = Callable[[str], None]


def _silent(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Predictor:
    """A loaded bundle. Of cases it holds the newest encodings alone; several threads may share it."""

    bundle: BundleIdentity
    contents: BundleContents
    engine: Engine
    preprocessor: Preprocessor
    joint: JointReader | None = None
    """None: the bundle has no joint space."""

    @classmethod
    def load(cls, directory: Path) -> Predictor:
        """Verify and load a bundle; only one that a trusted key signed is loaded.

        Raises: BundleMissing, BundleTampered, BundleUnsigned, BundleSignatureInvalid, BundleUnreadable.
        """
        from tokenizers import Tokenizer

        from services.diagnosis.bundle.contents import read_bundle
        from services.diagnosis.bundle.errors import BundleUnreadable
        from services.diagnosis.inference.engine import Engine
        from services.diagnosis.inference.inputs import Preprocessor
        from services.diagnosis.inference.joint import JointReader
        from services.diagnosis.search.exact import ExactIndex

        identity, contents = read_bundle(directory)
        tokenizer = Tokenizer.from_str(contents.tokenizer)
        preprocessor = Preprocessor(
            contents.config, tokenizer, contents.scale, contents.facts_scale, contents.word_order
        )
        try:
            engine = Engine.build(contents)
            joint = JointReader.build(contents.joint, tokenizer, ExactIndex()) if contents.joint is not None else None
        except RuntimeError as error:
            raise BundleUnreadable(
                f"The weights of {identity.name} do not fit its configuration. {identity.version} was trained by "
                "another version of Consilium: train it again, or run the version that trained it."
            ) from error
        return cls(identity, contents, engine, preprocessor, joint)

    def predict(self, case: CaseInput, *, on_stage: OnStage = _silent) -> Prediction:
        """Encode, fuse, explain. The same case gives the same prediction.

        Args:
            on_stage: told `encode`, `fuse` and `explain` as each begins.
        Raises: ValueError: a case without any evidence.
        """
        from services.diagnosis.inference.decision import decide
        from services.diagnosis.inference.explanation import explain

        on_stage("encode")
        clock = _Stopwatch()
        prepared, used, outcomes = self.encode_used(case)
        if not set(prepared) - CONTEXT:
            raise ValueError("a case needs at least one image, note or vital sign")
        clock.lap("encode")
        on_stage("fuse")
        members = self.engine.ask_every_subset({name: item.encoded for name, item in used.items()}) if used else {}
        prediction = decide(self.bundle, self.contents, outcomes, members)
        clock.lap("fuse")
        on_stage("explain")
        explanation = explain(self, case, prepared, used, prediction, members)
        clock.lap("explain")
        return replace(prediction, explanation=explanation, timings=clock.laps)

    def forget(self) -> None:
        """Drop the kept encodings: the next case is encoded anew."""
        self.engine.forget()

    def encode_used(
        self, case: CaseInput
    ) -> tuple[dict[str, Prepared], dict[str, EncodedModality], dict[str, ModalityOutcome]]:
        """What a case holds, the encodings of what may be used of it, and what became of each modality."""
        prepared = self.prepare(case)
        encoded = {name: self.engine.encode(name, part) for name, part in prepared.items() if part.refused is None}
        outcomes = {name: self._judge(case, name, part, encoded) for name, part in prepared.items()}
        used = {name: item for name, item in encoded.items() if outcomes[name].used}
        return prepared, used if set(used) - CONTEXT else {}, outcomes

    def reader(self, index: VectorIndex) -> CaseReader | None:
        """The joint space at work, with the reference cases put into `index`; None: this bundle has none."""
        from services.diagnosis.inference.joint import CaseReader, fill_index

        if self.joint is None or self.contents.joint is None:
            return None
        fill_index(index, self.contents.joint.references)
        return CaseReader(self, replace(self.joint, index=index))

    def prepare(self, case: CaseInput) -> dict[str, Prepared]:
        """Each modality of a case as its encoder takes it, or why an input rule refuses it."""
        prepared: dict[str, Prepared] = {}
        if case.images:
            prepared["image"] = self.preprocessor.images(case.images)
        if case.notes:
            prepared["note"] = self.preprocessor.notes(case.notes, case.as_of)
        if case.vitals is not None:
            prepared["vitals"] = self.preprocessor.vitals(case.vitals, case.as_of)
        if case.facts:
            prepared["tabular"] = self.preprocessor.facts(case)
        prepared |= {name: self.preprocessor.other(name, other) for name, other in case.others.items()}
        return prepared

    def _judge(
        self, case: CaseInput, name: str, prepared: Prepared, encoded: Mapping[str, EncodedModality]
    ) -> ModalityOutcome:
        from services.diagnosis.inference.ood import REJECT_BELOW

        evidence = _evidence(case, name)
        if prepared.refused is not None:
            return ModalityOutcome(False, evidence, prepared.quality, None, True, prepared.refused)
        p_value = self.contents.ood[name].p_value(encoded[name].features)
        flagged = p_value < REJECT_BELOW
        reason = self._why_strange(name, encoded[name]) if flagged else None
        return ModalityOutcome(not flagged, evidence, prepared.quality, 1 - p_value, flagged, reason)

    def _why_strange(self, name: str, encoded: EncodedModality) -> str:
        from services.diagnosis.inference.strangeness import why_strange

        return why_strange(name, self.contents.ood[name], encoded.features, self.contents.config.dim)


def _evidence(case: CaseInput, name: str) -> tuple[str, ...]:
    if name == "image":
        return tuple(image.id for image in case.images)
    if name == "note":
        return tuple(note.id for note in readable_notes(case.notes) or case.notes)
    if name == "tabular":
        return case.stated_by
    if name in case.others:
        return (case.others[name].id,)
    return (case.vitals.id,) if case.vitals is not None else ()


class _Stopwatch:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._started = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._started) * 1000, 3)
        self._started = now
