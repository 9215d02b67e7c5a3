"""How notes are written: styles by site, length, typing errors, copied text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.diagnosis.ward.chance import Chance

SECTION_ORDERS: dict[str, tuple[str, ...]] = {
    "classic": ("cc", "hpi", "pmh", "family", "medications", "exam", "assessment"),
    "history-last": ("cc", "hpi", "exam", "pmh", "medications", "family", "assessment"),
    "assessment-first": ("assessment", "cc", "hpi", "exam", "pmh", "medications", "family"),
    "brief": ("hpi", "pmh", "exam", "assessment"),
}
"""What is not in an order is not written. Every order has `hpi`, `pmh` and `exam`, which carry the findings."""


@dataclass(frozen=True)
class Manner:
    """How one group of clinicians writes: the rates from which the style of each of their notes is drawn.

    A bare float is a probability: for the note, unless it says otherwise.
    """

    name: str
    headings: tuple[str, ...] = ("capitals", "short", "plain")
    """Keys of `phrases.HEADINGS`, each as likely; `none`: sections are paragraphs without a heading."""
    orders: tuple[str, ...] = ("classic",)
    """Keys of `SECTION_ORDERS`, each as likely."""
    forms: tuple[tuple[float, str], ...] = ((1.0, "prose"),)
    """(weight, form) of a statement: `prose`, `telegraphic` or `template`; weights sum to one."""
    lists: float = 0.3
    """For each section: findings of one status share one cue, as in "Denies a, b or c."."""
    abbreviations: float = 0.15
    """For each long form that has a short one."""
    typos: tuple[float, ...] = (0.0, 0.03, 0.09)
    """For each long word; one of these for the whole note."""
    lines: float = 0.3
    """One statement a line rather than running text."""
    bullet: str = ""
    """What each line begins with."""
    lower: float = 0.12
    fillers: tuple[float, float] = (0.5, 3.5)
    """Trivia: a number from this range is drawn for the note, and up to about so many stand in each section."""
    family: float = 0.6
    """Family history with findings of relatives, which are nobody's findings here."""
    past: float = 0.15
    """A finding of years ago, gone since."""
    cautions: float = 0.25
    """A finding that is to be looked out for, as in "Return if fever."."""
    copied: float = 0.06
    """A block copied forward from an earlier note: some of today's statements again, and stale trivia."""
    flowsheet: float = 0.3
    """A line that says where the vital signs are; never what they are."""
    signature: float = 0.5
    dated: float = 0.3


@dataclass(frozen=True)
class Style:
    """How one note is written."""

    headings: str
    order: tuple[str, ...]
    form: str
    """Of the opening."""
    forms: tuple[tuple[float, str], ...]
    lists: float
    abbreviations: float
    typo_rate: float
    lines: bool
    bullet: str
    lower: bool
    fillers: int
    """Most in a section."""
    family: bool
    past: bool
    caution: bool
    copied: bool
    flowsheet: bool
    signature: bool
    dated: bool


Mixture = tuple[tuple[float, Manner], ...]
"""(weight, manner); weights sum to one."""


@dataclass(frozen=True)
class Writing:
    """How the ward's notes are written."""

    profile: str
    sites: Mapping[str, Mixture]
    elsewhere: Mixture
    """At sites that are not named."""

    def draw(self, chance: Chance, site: str) -> Style:
        """The style of one note."""
        m = chance.weighted(self.sites.get(site, self.elsewhere))
        lines = chance.happens(m.lines)
        return Style(
            headings=chance.pick(m.headings),
            order=SECTION_ORDERS[chance.pick(m.orders)],
            form=chance.weighted(m.forms),
            forms=m.forms,
            lists=m.lists,
            abbreviations=m.abbreviations,
            typo_rate=chance.pick(m.typos),
            lines=lines,
            bullet=m.bullet if lines else "",
            lower=chance.happens(m.lower),
            fillers=round(1.3 * chance.uniform(*m.fillers)),
            family=chance.happens(m.family),
            past=chance.happens(m.past),
            caution=chance.happens(m.cautions),
            copied=chance.happens(m.copied),
            flowsheet=chance.happens(m.flowsheet),
            signature=chance.happens(m.signature),
            dated=chance.happens(m.dated),
        )


TELEGRAPHIC = ((0.15, "prose"), (0.85, "telegraphic"))
DICTATED = Manner("dictated", headings=("capitals", "plain"), abbreviations=0.03, typos=(0.0, 0.02), lower=0.02)
TYPED = Manner("typed", abbreviations=0.25, lines=0.4, lower=0.15)
HURRIED = Manner(
    "hurried", headings=("short", "none"), orders=("brief", "classic"), forms=((0.45, "prose"), (0.55, "telegraphic")),
    lists=0.5, abbreviations=0.6, typos=(0.03, 0.12), lower=0.3, fillers=(0.0, 1.2), family=0.2, past=0.08,
    cautions=0.15,
)  # fmt: skip
PASTED = Manner("pasted", orders=("classic", "history-last"), copied=0.5, fillers=(1.5, 3.5))
STANDARD_WRITING = Writing(
    "standard",
    sites={
        "harbour": ((0.6, TYPED), (0.25, DICTATED), (0.15, HURRIED)),
        "hill": ((0.7, DICTATED), (0.3, TYPED)),
        "meadow": ((0.45, TYPED), (0.3, HURRIED), (0.25, PASTED)),
    },
    elsewhere=((1.0, TYPED),),
)

_BARE = replace(
    HURRIED,
    name="bare",
    headings=("soap", "none"),
    orders=("brief",),
    forms=TELEGRAPHIC,
    lists=0.8,
    abbreviations=0.95,
    lower=0.5,
    fillers=(0.0, 0.4),
    family=0.0,
    past=0.0,
    cautions=0.05,
    copied=0.0,
    flowsheet=0.2,
    signature=0.15,
    dated=0.1,
)
TERSE = Writing("terse", sites={}, elsewhere=((1.0, _BARE),))
"""Short lines of findings and abbreviations, hardly a sentence."""
_CARRIED = replace(PASTED, name="carried", copied=1.0, past=0.4, cautions=0.4, fillers=(2.5, 5.0))
COPIED_FORWARD = Writing("copied-forward", sites={}, elsewhere=((1.0, _CARRIED),))
"""Every note holds a block copied from an earlier one, and much that means nothing."""
_FORMS = Manner(
    "forms", headings=("form", "bracketed"), orders=("assessment-first", "history-last"),
    forms=((0.2, "prose"), (0.8, "template")), lists=0.1, abbreviations=0.3, lines=0.9, bullet="* ", lower=0.05,
    fillers=(1.0, 4.0), flowsheet=0.6, signature=0.9, dated=0.8,
)  # fmt: skip
NEW_SITE_WRITING = Writing("new-site", sites={}, elsewhere=((1.0, _FORMS),))
"""An electronic form that the ward has not seen: other headings and order, answers after the question."""
