"""Example cases: the film with its heat map and the true findings, the note with its spans, the vitals with windows."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from services.diagnosis.case import CaseInput, NoteInput, VitalsInput
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.report.figures import COLOURS, OURS, WARN, svg
from services.diagnosis.inference.prediction import ImageExplanation, NoteSpan, Prediction, VitalsExplanation
from shared.codes import DIAGNOSES, HEART_RATE_VARIABILITY, STEPS, VITAL_SIGNS

SHORT = {STEPS.code: "Steps", HEART_RATE_VARIABILITY.code: "HRV"}
LABELS = {s.coding.code: SHORT.get(s.coding.code, " ".join(s.coding.display.split()[:2])) for s in VITAL_SIGNS}
STRONG = 0.25
"""Spans below a quarter of the strongest are left unmarked, so that the eye finds what mattered."""


@dataclass(frozen=True)
class Example:
    """One case as the report shows it; all parts are HTML."""

    title: str
    verdict: str
    image: str
    note: str
    vitals: str
    summary: tuple[str, ...]


def example(case: LabelledCase, prediction: Prediction, truth_name: str) -> Example:
    """Everything of one explained case."""
    explanation, ranked = prediction.explanation, prediction.diagnoses
    first = f"{ranked[0].coding.display} {ranked[0].probability:.2f}" if ranked else "no answer"
    images, notes = explanation.images, explanation.notes
    return Example(
        title=f"{case.id}: truth {truth_name}",
        verdict=f"Model: {first}" + ("; abstained" if prediction.abstained else ""),
        image=_image(case, images[0]) if images and case.inputs.images else "",
        note=_note(case.inputs.notes[0], notes[0].spans if notes else ()) if case.inputs.notes else "",
        vitals=_vitals(case.inputs, case.inputs.vitals, explanation.vitals, case) if case.inputs.vitals else "",
        summary=tuple(sentence.text for sentence in explanation.summary),
    )


def _image(case: LabelledCase, explained: ImageExplanation) -> str:
    """The film, the heat map over it, and the outline of every true finding."""
    film = next(i for i in case.inputs.images if i.id == explained.image_id)
    grey = Image.fromarray(np.uint8(np.clip(film.pixels, 0, 1) * 255)).convert("RGBA")
    heat = Image.open(io.BytesIO(explained.heatmap_png)).convert("RGBA").resize(grey.size)
    shown = np.array(Image.alpha_composite(grey, heat).convert("RGB"))
    names = []
    for i, (finding, mask) in enumerate((case.truth.masks if case.truth else {}).items()):
        if mask.shape == shown.shape[:2] and mask.any():
            colour = COLOURS[i % len(COLOURS)]
            shown[_outline(mask)] = [int(colour[j : j + 2], 16) for j in (1, 3, 5)]
            names.append(f'<span style="color:{colour}">■</span> {html.escape(finding.replace("_", " "))}')
    buffer = io.BytesIO()
    Image.fromarray(shown).resize((grey.width * 3 // 4, grey.height * 3 // 4)).save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    legend = f"<figcaption>Outlined: {', '.join(names)}</figcaption>" if names else ""
    return f'<figure><img alt="film with heat map" src="data:image/jpeg;base64,{data}">{legend}</figure>'


def _outline(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    from scipy.ndimage import binary_erosion

    return np.asarray(mask & ~binary_erosion(mask, iterations=2))


def _note(note: NoteInput, spans: Sequence[NoteSpan]) -> str:
    """The text with the strongest spans marked: warm speaks for, cool against the first diagnosis."""
    strongest = max((abs(span.contribution) for span in spans), default=0.0)
    marked, parts = 0, []
    for span in sorted(spans, key=lambda s: s.start):
        if span.start < marked or abs(span.contribution) < STRONG * strongest or not strongest:
            continue
        parts.append(html.escape(note.text[marked : span.start]))
        kind = "for" if span.contribution > 0 else "against"
        title = f"{span.contribution:+.2f}" + (", negated" if span.negated else "")
        parts.append(f'<mark class="{kind}" title="{title}">{html.escape(note.text[span.start : span.end])}</mark>')
        marked = span.end
    return f'<pre class="note">{"".join(parts)}{html.escape(note.text[marked:])}</pre>'


def _vitals(case: CaseInput, vitals: VitalsInput, parts: Sequence[VitalsExplanation], labelled: LabelledCase) -> str:
    """Each sign over time; background: what the model attributes to, bar below: the window of a true event."""
    codes = [code for code in LABELS if code in vitals.codes]
    figure = Figure(figsize=(7.2, 0.85 * len(codes) + 0.5))
    panels = figure.subplots(len(codes), 1, squeeze=False, sharex=True)[:, 0]
    strongest = max((abs(part.contribution) for part in parts), default=0.0) or 1.0
    of = np.array(vitals.codes)
    for axes, code in zip(panels, codes, strict=True):
        axes.plot(vitals.times_h[of == code], vitals.values[of == code], ".", color="#333333", ms=2)
        for part in (p for p in parts if p.code == code):
            colour = WARN if part.contribution > 0 else OURS
            start, end = _hours(part.from_, case), _hours(part.to, case)
            axes.axvspan(start, end, color=colour, alpha=0.4 * abs(part.contribution) / strongest, lw=0)
        for _, start, end, _ in (w for w in (labelled.truth.windows if labelled.truth else ()) if w[0] == code):
            axes.axvspan(start, end, ymax=0.06, color="#009e73", lw=0)
        axes.set_ylabel(LABELS[code], rotation=0, ha="right", fontsize=7)
        axes.tick_params(labelsize=6)
    panels[-1].set_xlabel("hours before the case (green: true event; red speaks for, blue against)", fontsize=8)
    return svg(figure, "Vital signs with attributions")


def _hours(at: datetime, case: CaseInput) -> float:
    return (at - case.as_of).total_seconds() / 3600


def diagnosis_name(label: int) -> str:
    """Display text of a label of the bundle."""
    return DIAGNOSES[label].display
