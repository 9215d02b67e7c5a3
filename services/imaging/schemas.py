"""What crosses the wire at the research door."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.imaging.domain import Region, Review, ReviewState
from services.imaging.store import InstanceRow
from shared.contracts.base import Wire


class ExportIn(Wire):
    """`POST /research/exports`."""

    study: str = Field(pattern=r"^[0-9][0-9.]{0,63}$", description="StudyInstanceUID as it is stored here")


class ImageRegion(Wire):
    """A rectangle of the pixel matrix, in pixels from its upper left corner."""

    x: int = Field(ge=0, le=2**16)
    y: int = Field(ge=0, le=2**16)
    width: int = Field(gt=0, le=2**16)
    height: int = Field(gt=0, le=2**16)

    @classmethod
    def from_domain(cls, region: Region) -> Self:
        return cls(x=region.x, y=region.y, width=region.width, height=region.height)

    def to_domain(self) -> Region:
        return Region(self.x, self.y, self.width, self.height)


class ReviewOut(Wire):
    """An image at which somebody has to look before it leaves."""

    id: str
    state: ReviewState
    reason: str
    regions: list[ImageRegion]
    rendered: str
    """Path below the origin of this service where the image is shown."""

    @classmethod
    def from_domain(cls, review: Review, row: InstanceRow) -> Self:
        path = f"{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}"
        return cls(
            id=review.instance_id,
            state=review.state,
            reason=review.reason,
            regions=[ImageRegion.from_domain(region) for region in review.regions],
            rendered=f"/dicomweb/studies/{path}/rendered",
        )


class ReviewList(Wire):
    """What waits, the longest first."""

    items: list[ReviewOut]


class DecisionIn(Wire):
    """`POST /research/reviews/{id}`."""

    decision: Literal["cleared", "blanked", "withheld"]
    regions: Annotated[list[ImageRegion], Field(max_length=100)] = []
    """What to blank; needed where the decision is `blanked`, and nowhere else."""

    @model_validator(mode="after")
    def _regions_fit(self) -> Self:
        if bool(self.regions) != (self.decision == "blanked"):
            raise ValueError("send regions with the decision `blanked`, and with no other")
        return self


class DecisionOut(Wire):
    """What was decided."""

    id: str
    state: ReviewState
    regions: list[ImageRegion]
