"""The joint space at work: similar cases, retrieval across modalities, and phrases on films.

What it answers is a cosine between vectors and is called a similarity. It is no probability, it is not calibrated, and
no diagnosis rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from services.diagnosis.bundle.joint import CASE, JointContents, References
from services.diagnosis.case import CaseInput
from services.diagnosis.inference.attribution.image import find_regions, heatmap_png
from services.diagnosis.inference.films import FilmAnswer, FilmAnswers, GroundedRegion
from services.diagnosis.inference.inputs import PreparedImages
from services.diagnosis.inference.prediction import SimilarCase
from services.diagnosis.model.joint import JointConfig, JointSpace, combine
from services.diagnosis.model.preprocessing.image import Letterbox
from services.diagnosis.model.preprocessing.phrases import tokenize
from services.diagnosis.search.index import Entry, VectorIndex
from shared.codes import DIAGNOSES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from services.diagnosis.inference.engine import EncodedModality
    from services.diagnosis.inference.predictor import Predictor

Array = NDArray[np.float64]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SHOWN_ABOVE = 0.5
"""Of the range from a film's median cell to its most similar one: less is not painted."""


@dataclass(frozen=True)
class JointReader:
    """A loaded space and the index of its reference cases. Holds no state of any case."""

    space: JointSpace
    tokenizer: Tokenizer
    films: NDArray[np.float32]
    index: VectorIndex

    @classmethod
    def build(cls, contents: JointContents, tokenizer: Tokenizer, index: VectorIndex) -> JointReader:
        """Load the weights and fill the index. Raises: RuntimeError: weights that do not fit their configuration."""
        space = JointSpace(JointConfig.from_json(contents.config))
        space.load_state_dict(dict(contents.weights))
        space.eval().requires_grad_(False)
        fill_index(index, contents.references)
        return cls(space, tokenizer, contents.films, index)

    def vectors(self, used: Mapping[str, EncodedModality]) -> dict[str, NDArray[np.float32]]:
        """Kind -> vector of one case: each modality at hand, and `case` for all of them together."""
        with torch.no_grad():
            own = {name: self.space.embed(name, item.encoded)[0] for name, item in used.items()}
            if own:
                own[CASE] = combine(torch.stack(list(own.values())))
        return {name: vector.numpy() for name, vector in own.items()}

    def phrase(self, text: str) -> NDArray[np.float32]:
        """The vector of a phrase."""
        with torch.no_grad():
            vector: NDArray[np.float32] = self.space.embed_phrases(
                *tokenize([text], self.tokenizer, self.space.config.longest)
            )[0].numpy()
        return vector

    def nearest(self, vector: NDArray[np.float32], kind: str, k: int) -> tuple[SimilarCase, ...]:
        """The reference cases whose vectors of a kind are nearest."""
        return tuple(
            SimilarCase(hit.name, hit.similarity, DIAGNOSES[hit.label]) for hit in self.index.search(kind, vector, k)
        )

    def similar(self, used: Mapping[str, EncodedModality], k: int) -> tuple[SimilarCase, ...]:
        """The reference cases nearest to a case, whatever modalities it holds; none where it holds none."""
        vectors = self.vectors(used)
        return self.nearest(vectors[CASE], CASE, k) if vectors else ()

    def ask_films(self, text: str, prepared: PreparedImages, encoded: EncodedModality) -> tuple[FilmAnswer, ...]:
        """A phrase against every film of a case, newest first. The films of a case share one vector."""
        phrase = self.phrase(text)
        film = self.vectors({"image": encoded})["image"]
        similarity, usual = float(film @ phrase), np.sort(self.films @ phrase)
        with torch.no_grad():
            cells = self.space.embed_cells(encoded.positions.features)
            _, by_cell = self.space.look(torch.from_numpy(phrase)[None], cells)
        side = round((by_cell.shape[-1] / len(prepared.images)) ** 0.5)
        maps = by_cell[0, 0].reshape(len(prepared.images), side, side).numpy().astype(np.float64)
        return tuple(
            FilmAnswer(
                image.id,
                image.sop_instance_uid,
                similarity,
                percentile=100 * float(np.searchsorted(usual, similarity)) / len(usual),
                reference={f"p{round(100 * q):02d}": float(np.quantile(usual, q)) for q in QUANTILES},
                regions=_regions(own, prepared, position),
                heatmap_png=_paint(own, prepared, position),
                grid=over_film(own, prepared.boxes[position]),
            )
            for position, (image, own) in enumerate(zip(prepared.images, maps, strict=True))
        )


@dataclass(frozen=True)
class CaseReader:
    """A joint space at work on cases. Evidence that the diagnosis rejects is not asked either."""

    predictor: Predictor
    joint: JointReader

    def similar_to(self, case: CaseInput, kind: str, k: int) -> tuple[SimilarCase, ...]:
        """The reference cases whose vectors of a kind are nearest to the vector of all that the case holds."""
        _, used, _ = self.predictor.encode_used(case)
        vectors = self.joint.vectors(used)
        return self.joint.nearest(vectors[CASE], kind, k) if vectors else ()

    def search(self, text: str, kind: str, k: int) -> tuple[SimilarCase, ...]:
        """The reference cases whose vectors of a kind are nearest to a phrase."""
        return self.joint.nearest(self.joint.phrase(text), kind, k)

    def ask(self, case: CaseInput, text: str) -> FilmAnswers:
        """A phrase against every film of the case."""
        if not case.images:
            return FilmAnswers((), "the case has no image that may be used")
        images = replace(case, notes=(), vitals=None)
        prepared, used, outcomes = self.predictor.encode_used(images)
        if "image" not in used:
            return FilmAnswers((), outcomes["image"].reason)
        films = prepared["image"]
        if not isinstance(films, PreparedImages):
            raise TypeError(f"images were prepared as {type(films).__name__}")
        return FilmAnswers(self.joint.ask_films(text, films, used["image"]))


def fill_index(index: VectorIndex, references: References) -> None:
    """Put the reference cases of a bundle into an index."""
    for kind in references.kinds:
        rows = zip(references.names, references.labels, references.of(kind), strict=True)
        index.replace(kind, [Entry(name, int(label), vector) for name, label, vector in rows])


def over_film(cells: Array, box: Letterbox) -> Array:
    """Cells [grid, grid] of the square -> [box height, box width], the film alone."""
    square = Image.fromarray(cells.astype(np.float32)).resize((box.side, box.side), Image.Resampling.BILINEAR)
    return np.asarray(square, np.float64)[box.top : box.top + box.height, box.left : box.left + box.width]


def standing_out(cells: Array) -> Array:
    """Cosines of cells as a map of 0 to 1: nothing up to halfway from the median cell to the most similar one."""
    low, high = float(np.median(cells)), float(cells.max())
    if high <= low:
        return np.zeros_like(cells)
    return np.asarray(np.clip(((cells - low) / (high - low) - SHOWN_ABOVE) / (1 - SHOWN_ABOVE), 0, 1))


def _paint(cells: Array, prepared: PreparedImages, position: int) -> bytes:
    return heatmap_png(standing_out(cells), prepared.boxes[position], strongest=1.0)


def _regions(cells: Array, prepared: PreparedImages, position: int) -> tuple[GroundedRegion, ...]:
    """Where the cells stand out, the largest sum first; each with the mean cosine over its rectangle."""
    image, box = prepared.images[position], prepared.boxes[position]
    found = find_regions(standing_out(cells), box, image.rows, image.columns, strongest=1.0)
    grid = over_film(cells, box)
    down, across = grid.shape[0] / image.rows, grid.shape[1] / image.columns

    def inside(x: float, y: float, width: float, height: float) -> float:
        top, left = int(y * down), int(x * across)
        bottom, right = max(top + 1, round((y + height) * down)), max(left + 1, round((x + width) * across))
        return float(grid[top:bottom, left:right].mean())

    return tuple(GroundedRegion(r.x, r.y, r.width, r.height, inside(r.x, r.y, r.width, r.height)) for r in found)
