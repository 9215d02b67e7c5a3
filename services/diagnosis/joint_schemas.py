"""Questions and answers of the joint space on the wire. Every answer says what its number is."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from services.diagnosis.inference.films import FilmAnswer, FilmAnswers
from services.diagnosis.inference.prediction import SimilarCase
from shared.contracts.base import CodeOut, Wire

STATEMENT = (
    "A similarity is the cosine between two vectors of a joint space, in [-1, 1]. It is not a probability, it is not "
    "calibrated, and no diagnosis rests on it. It says what the model finds alike, not what is there."
)
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=300)]
Kind = Literal["case", "image", "note", "vitals", "tabular"]
"""Which vectors of the reference cases are searched: of one modality, or of all of a case together."""


class PhraseIn(Wire):
    """`POST /diagnoses/{id}/query`: a phrase stands in no URL."""

    text: Phrase


class RetrievalIn(Wire):
    """`POST /search`: reference cases that are near to a phrase, or to a case of ours."""

    text: Phrase | None = None
    diagnosis: str | None = Field(default=None, pattern=r"^[0-9a-f-]{36}$")
    target: Kind = "image"
    k: int = Field(default=5, ge=1, le=50)

    @model_validator(mode="after")
    def _one_of_both(self) -> RetrievalIn:
        if (self.text is None) == (self.diagnosis is None):
            raise ValueError("send either `text` or `diagnosis`")
        return self


class ReferenceCaseOut(Wire):
    """A reference case of the model bundle, never a patient of this hospital."""

    case: str
    similarity: float
    diagnosis: CodeOut


class SimilarOut(Wire):
    """Reference cases, most similar first."""

    measure: Literal["similarity"] = "similarity"
    statement: str = STATEMENT
    target: Kind
    items: list[ReferenceCaseOut]


class RegionOut(Wire):
    """A rectangle in pixels of the original image, with the mean similarity of its cells to the phrase."""

    x: float
    y: float
    width: float
    height: float
    similarity: float


class FilmOut(Wire):
    instance: str
    """SOP Instance UID."""
    similarity: float
    """Of the phrase and the film: a cosine in [-1, 1], no probability."""
    percentile: float
    """Percentage of the bundle's calibration films that are less similar to this phrase."""
    reference: dict[str, float]
    """Quantiles (`p05` to `p95`) of the similarity of the calibration films to this phrase."""
    regions: list[RegionOut]
    heatmap: str
    """`data:` URL of a PNG (RGBA) to lay over the whole image: where the phrase looks."""
    grid: list[list[float]]
    """Rows of similarities over the whole image, coarser than it."""


class FilmsOut(Wire):
    """What a phrase has to do with each film of a case."""

    measure: Literal["similarity"] = "similarity"
    statement: str = STATEMENT
    images: list[FilmOut]
    reason: str | None = None
    """Why there are no images."""


class QuestionBody(Wire):
    """What a worker is asked; the case, if any, stands beside it."""

    ask: Literal["similar", "films", "search", "replay"]
    text: str | None = None
    target: Kind = "case"
    k: int = 5


def similar_out(cases: tuple[SimilarCase, ...], target: Kind) -> SimilarOut:
    return SimilarOut(
        target=target,
        items=[
            ReferenceCaseOut(
                case=item.case,
                similarity=round(item.similarity, 4),
                diagnosis=CodeOut(system=item.coding.system, code=item.coding.code, display=item.coding.display),
            )
            for item in cases
        ],
    )


def films_out(answers: FilmAnswers) -> FilmsOut:
    return FilmsOut(images=[_film_out(film) for film in answers.films], reason=answers.reason)


def _film_out(film: FilmAnswer) -> FilmOut:
    return FilmOut(
        instance=film.sop_instance_uid,
        similarity=round(film.similarity, 4),
        percentile=round(film.percentile, 1),
        reference={name: round(value, 4) for name, value in film.reference.items()},
        regions=[
            RegionOut(x=r.x, y=r.y, width=r.width, height=r.height, similarity=round(r.similarity, 4))
            for r in film.regions
        ],
        heatmap="data:image/png;base64," + base64.b64encode(film.heatmap_png).decode(),
        grid=[[round(float(value), 3) for value in row] for row in film.grid],
    )
