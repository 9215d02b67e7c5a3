"""What can go wrong in the audit service, by name."""

from __future__ import annotations

from shared.errors import (
    BadRequest,
    Conflict,
    FieldProblem,
    Forbidden,
    InvalidInput,
    NotAcceptable,
    NotFound,
    TooManyRequests,
    Unavailable,
)


class MalformedEvent(InvalidInput):
    """An event that cannot become a leaf: another tenant, a fraction as a number, too long."""


class EventConflict(Conflict):
    """An event id that the log already holds with another content. The log keeps the first."""

    slug = "event-conflict"


class LogBusy(TooManyRequests):
    """More events wait than the sequencer will hold."""


class LogUnavailable(Unavailable):
    """The events may or may not be in the log; sending them again is safe."""


class LogDamaged(Unavailable):
    """What is stored is not what was signed. The log signs nothing more until a person has looked."""

    slug = "log-damaged"


class BarrierNotReached(Unavailable):
    """A consent is recorded, and it is not certain that no older decision can release a result."""

    slug = "consent-barrier-not-reached"


class NoSuchEntry(NotFound):
    """The index is beyond the newest signed checkpoint."""


class NoSuchTile(NotFound):
    """The newest signed checkpoint does not cover this tile."""


class MalformedTilePath(BadRequest):
    """Not the canonical path of any tile."""


class MalformedCursor(InvalidInput):
    """A cursor that this query did not give."""


class ParquetMissing(NotAcceptable):
    """An export in columns, and no library that writes them."""

    def __init__(self) -> None:
        problem, fix = "asks for pyarrow, which is not installed", "install consilium[arrow] here, or ask for csv"
        super().__init__("This service cannot write Parquet.", fields=[FieldProblem("format", problem, fix)])


class ReportTooLong(InvalidInput):
    """A report with more rows than one answer holds."""

    def __init__(self, most: int) -> None:
        problem, fix = f"spans more than {most} rows", "send a later `from` or an earlier `to`, and ask several times"
        super().__init__("The report is too long.", fields=[FieldProblem("from", problem, fix)])


class NoSuchConsent(NotFound):
    """No consent has this id."""


class ConsentAlreadyWithdrawn(Conflict):
    """It was withdrawn before; nothing changed."""


class NoSuchAccess(NotFound):
    """Nobody has broken the glass under this id."""


class OwnAccess(Forbidden):
    """Who broke the glass would review it."""

    slug = "own-access"


class AlreadyReviewed(Conflict):
    """An access is reviewed once."""

    slug = "already-reviewed"


class NoSuchErasure(NotFound):
    """No erasure has this id."""


class AlreadyErased(Conflict):
    """It is done, or asked for, already."""


class NoSuchHold(NotFound):
    """No hold has this id."""


class NoSuchBundle(NotFound):
    """No model bundle has this id."""


class BundleConflict(Conflict):
    """This name and version, or this digest, already belong to another bundle."""


class GatesNotPassed(Conflict):
    """A bundle may not enter a stage yet; `gates` names each gate that it has not passed and what to do."""

    slug = "gates-not-passed"


class StageTaken(Conflict):
    """Another bundle is in a stage that holds one at most, or there is no active bundle beside which to try one."""

    slug = "stage-taken"


class OwnBundle(Forbidden):
    """Who registered a bundle would approve it."""

    slug = "own-bundle"


class OtherBundle(Conflict):
    """What was handed in is about another bundle than the one that it was handed in for."""

    slug = "other-bundle"


class NoLocalActivation(Conflict):
    """A bundle needs two approvals here: this suite does not permit local activation, or no longer."""

    slug = "no-local-activation"


class NothingToRollBackTo(Conflict):
    """No bundle was active before the present one."""
