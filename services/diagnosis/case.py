"""A case as the networks see it, wherever it came from: a running suite, the ward, or a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageInput:
    """One radiograph: pixels [height, width] in [0, 1], air dark, whole image, longest side at most 512."""

    id: str
    sop_instance_uid: str
    pixels: NDArray[np.float32]
    rows: int
    """Rows of the original matrix, to which explanation regions refer."""
    columns: int
    effective_at: datetime
    modality: str = "DX"
    body_part_examined: str | None = None
    view_position: str | None = None
    findings: tuple[Mapping[str, Any], ...] = ()
    """What the imaging service doubts about it (`shared.contracts.evidence.ImageFinding`)."""


@dataclass(frozen=True)
class NoteInput:
    """One note, verbatim; explanation spans are offsets into `text`."""

    id: str
    text: str
    authored: datetime
    type: str
    language: str | None = None
    """ISO 639-1; `und` and None: no other than English is known of."""


@dataclass(frozen=True)
class VitalsInput:
    """Irregular samples, oldest first; the i-th of each array belong together."""

    id: str
    times_h: NDArray[np.float64]
    """Hours relative to the case time, <= 0."""
    codes: tuple[str, ...]
    """LOINC codes."""
    values: NDArray[np.float64]
    """In the canonical unit of `shared.codes.VITAL_SIGNS`."""


@dataclass(frozen=True)
class LaboratoryValue:
    """The newest value of one laboratory test."""

    code: str
    """LOINC code of `shared.codes.LABORATORY`."""
    value: float
    """In the canonical unit."""


@dataclass(frozen=True)
class OtherInput:
    """Evidence of a modality that this module knows nothing of: what its encoder's `prepare` takes."""

    id: str
    value: Any


@dataclass(frozen=True)
class CaseInput:
    """All that is known and permitted of one case. Empty tuples and None mean that the modality is absent."""

    as_of: datetime
    images: tuple[ImageInput, ...] = ()
    notes: tuple[NoteInput, ...] = ()
    vitals: VitalsInput | None = None
    age_years: float | None = None
    sex: str | None = None
    laboratory: tuple[LaboratoryValue, ...] = ()
    stated_by: tuple[str, ...] = ()
    """Ids of the evidence that states age, sex and laboratory values."""
    others: Mapping[str, OtherInput] = field(default_factory=dict)
    """Further modalities of the registry, by name."""

    @property
    def facts(self) -> bool:
        """Whether anything of age, sex and laboratory values is known."""
        return self.age_years is not None or self.sex in ("F", "M") or bool(self.laboratory)


@dataclass(frozen=True)
class Truth:
    """What the ward knows of a case and no model is told."""

    label: int
    """The true one, an index into `shared.codes.DIAGNOSES`."""
    deterioration: bool
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Finding -> mask on the image's grid."""
    spans: tuple[tuple[int, int, str, bool], ...] = ()
    """(start, end, finding, negated) in the note."""
    windows: tuple[tuple[str, float, float, str], ...] = ()
    """(LOINC code, from hour, to hour, finding)."""
    posterior: dict[str, list[float]] = field(default_factory=dict)
    """Availability pattern such as `image+note` -> p(y | latent findings of those modalities, age, sex)."""
    prior: list[float] = field(default_factory=list)
    """p(y | age, sex)."""
    findings: dict[str, str] = field(default_factory=dict)
    """Latent finding -> its value: what tells which evidence speaks for a label."""
    recorded_label: int | None = None
    """The label that stands in the record; None: not known to differ from the true one."""
    available: tuple[str, ...] = ("image", "note", "vitals")
    """The modalities that the patient has."""
    skin_type: int | None = None
    """Fitzpatrick type, 1-6."""
    site: str | None = None
    deterioration_posterior: dict[str, float] = field(default_factory=dict)
    """Availability pattern -> p(deterioration | latent findings of those modalities)."""
    posterior_given_availability: list[float] = field(default_factory=list)
    """p(y | latent findings of the available modalities, and that exactly these are available)."""
    severity: int | None = None
    """Level of the acute illness, an index into `shared.codes.SEVERITIES`; None: nobody knows."""
    severity_posterior: dict[str, list[float]] = field(default_factory=dict)
    """Availability pattern -> p(level | latent findings of those modalities, age, sex)."""
    severity_prior: list[float] = field(default_factory=list)
    """p(level | age, sex)."""

    def best_beliefs(self) -> dict[str, list[float]]:
        """The posterior of every pattern, those with age and sex as a modality too; empty where nobody knows.

        Every posterior is given age and sex: the note states them and the film shows them, so that a pattern without
        `tabular` is bounded by the same posterior, for films and vitals alone a little too generously.
        """
        return _with_context(self.posterior, self.prior)

    def best_severity_beliefs(self) -> dict[str, list[float]]:
        """The same of the levels of severity."""
        return _with_context(self.severity_posterior, self.severity_prior)


def _with_context(posterior: dict[str, list[float]], prior: list[float]) -> dict[str, list[float]]:
    given = {f"{pattern}+tabular": value for pattern, value in posterior.items()}
    return {**posterior, **given, **({"tabular": prior} if prior else {})}
