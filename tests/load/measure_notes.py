"""What is found in clinical text, measured on published corpora: `python -m tests.load.measure_notes [DATA]`.

DATA is the folder of the corpora (default ../shared/data/notes). Where `negspacy` or `presidio_analyzer` is installed,
it is measured in the same run. Intervals: 95 %, bootstrap over sentences (2,000 draws, seed 1), Wilson for shares.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import NormalDist

from services.notes.clinical.analysis import analyse
from services.notes.clinical.cues import Flag
from services.notes.clinical.identifiers.detection import find_identifiers
from services.notes.clinical.language import detect_language
from services.notes.clinical.sections import SectionKind, find_sections
from tests.load.seeded_identifiers import Seeded, seeded_texts
from tests.services.notes.clinical.negex import Counts, Judge, Marked, compare, ours, read_half

DRAWS = 2000
Z = NormalDist().inv_cdf(0.975)


def main(data: Path) -> None:
    """Print all tables."""
    contexts(data)
    sections(data)
    languages(data)
    identifiers(data)
    patients(data)
    rates(data)


def contexts(data: Path) -> None:
    """Flags of the marked conditions of the NegEx kit, on the half that no rule was tuned on."""
    sentences = read_half(data / "negex" / "annotations.tsv", 1)
    for flag in Flag:
        print(f"{flag}, ours: {_figures(sentences, flag, ours(flag))}")
    if (judge := negspacy_judge()) is not None:
        print(f"negated, negspacy: {_figures(sentences, Flag.NEGATED, judge)}")


def _figures(sentences: list[Marked], flag: Flag, judge: Judge) -> str:
    cells = [(judge(one), one.is_gold(flag)) for one in sentences]
    random, draws = Random(1), list[Counts]()  # a bootstrap
    for _ in range(DRAWS):
        drawn = random.choices(cells, k=len(cells))
        draws.append(
            Counts(*(drawn.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False))))
        )
    counts = compare(sentences, flag, judge)
    named: dict[str, Callable[[Counts], float]] = {
        "precision": lambda c: c.precision, "recall": lambda c: c.recall, "F1": lambda c: c.f1,
    }  # fmt: skip
    told = (f"{name} {of(counts):.3f} {_interval([of(draw) for draw in draws])}" for name, of in named.items())
    gold = counts.hits + counts.misses
    return f"{', '.join(told)} (n = {len(sentences)}, {gold} gold, {counts.false_alarms} false alarms)"


def _interval(values: list[float]) -> str:
    values = sorted(values)
    return f"[{values[int(0.025 * len(values))]:.3f}, {values[int(0.975 * len(values)) - 1]:.3f}]"


def negspacy_judge() -> Judge | None:
    """NegEx as the package `negspacy` has it, on blank spaCy with the marked condition as an entity."""
    try:
        import spacy
        from negspacy.negation import Negex  # noqa: F401  # registers the component
    except ImportError:
        return None
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    negex = nlp.add_pipe("negex", config={"ent_types": []})

    def _judge(one: Marked) -> bool:
        doc = nlp.pipeline[0][1](nlp.make_doc(one.text))
        span = doc.char_span(one.start, one.end, label="CONDITION", alignment_mode="expand")
        doc.ents = [span]
        return bool(negex(doc).ents[0]._.negex)

    return _judge


def wilson(hits: int, n: int) -> str:
    """A share and its Wilson interval."""
    if not n:
        return "none"
    share, square = hits / n, Z * Z / n
    middle = (share + square / 2) / (1 + square)
    half = Z * ((share * (1 - share) + square / 4) / n) ** 0.5 / (1 + square)
    return f"{share:.3f} [{middle - half:.3f}, {middle + half:.3f}] ({hits}/{n})"


def sections(data: Path) -> None:
    """Headings of visit notes that are lines in capitals, found, and found with a kind of their own."""
    lines = [
        (note, start, line)
        for note in _column(data / "aci-bench" / "valid.csv", "note")
        for start, line in _capitals(note)
    ]
    found = [next((s for s in find_sections(note) if s.start == start), None) for note, start, _ in lines]
    print(f"headings in capitals (aci-bench, valid.csv): found {wilson(sum(s is not None for s in found), len(lines))}")
    known = sum(s is not None and s.kind is not SectionKind.OTHER for s in found)
    print(f"  of a known kind {wilson(known, len(lines))}")


def _capitals(note: str) -> Iterator[tuple[int, str]]:
    position = 0
    for line in note.splitlines(keepends=True):
        words = line.strip()
        if words.isupper() and len(words) > 3 and not words.endswith(".") and not any(map(str.isdigit, words)):
            yield position, words
        position += len(line)


def languages(data: Path) -> None:
    """How much of a text it takes to tell Spanish, and how much English is flagged. Every second text alone."""
    spanish = [path.read_text(encoding="utf-8") for path in sorted((data / "nubes-es").glob("*.txt"))]
    english = [*_column(data / "mts-dialog" / "MTS-Dialog-TrainingSet.csv", "section_text")]
    english += _column(data / "aci-bench" / "train.csv", "note")
    terse = [one.text for half in (0, 1) for one in read_half(data / "negex" / "annotations.tsv", half)]
    print(f"Spanish notes flagged: {wilson(_flagged(spanish), len(spanish))}")
    for size in (20, 40, 80, 160, 320, 640):
        pieces = [_pieces(texts, size) for texts in (spanish, english)]
        told = (wilson(_flagged(texts), len(texts)) for texts in pieces)
        print("  pieces of {} characters flagged: Spanish {}, English {}".format(size, *told))
    print(f"English sections and notes flagged: {wilson(_flagged(english), len(english))}")
    unique = sorted(set(terse))
    print(f"English sentences (negex) flagged: {wilson(_flagged(unique), len(unique))}")


def _flagged(texts: Sequence[str]) -> int:
    return sum(detect_language(text).is_foreign for text in texts)


def _pieces(texts: Sequence[str], size: int) -> list[str]:
    pieces = []
    for text in texts:
        piece = ""
        for word in text.split():
            piece = f"{piece} {word}".strip()
            if len(piece) >= size:
                pieces.append(piece)
                piece = ""
    Random(1).shuffle(pieces)  # a sample
    return pieces[:300]


Finder = Callable[[str], list[tuple[int, int]]]


def identifiers(data: Path) -> None:
    """Seeded identifiers found, and what else was taken for one."""
    texts = seeded_texts(data, n=2400, seed=2)
    finders: dict[str, Finder] = {"ours": lambda text: [(i.start, i.end) for i in find_identifiers(text)]}
    if (presidio := presidio_finder()) is not None:
        finders["presidio, blank spaCy"] = presidio
    for name, finder in finders.items():
        _report_identifiers(name, texts, finder)


def patients(data: Path) -> None:
    """The patient's first and last name beside one another, in visit notes whose patients are known (aci-bench)."""
    for split in ("train", "valid"):
        names = [
            (row["encounter_id"], f"{row['patient_firstname'].strip()} {row['patient_familyname'].strip()}")
            for row in csv.DictReader((data / "aci-bench" / f"{split}_metadata.csv").open(encoding="utf-8"))
            if row["patient_firstname"].strip() and row["patient_familyname"].strip()
        ]
        rows = csv.DictReader((data / "aci-bench" / f"{split}.csv").open(encoding="utf-8", newline=""))
        notes = {row["encounter_id"]: row["note"] for row in rows}
        texts = [
            Seeded(notes[encounter], *match.span(), "name")
            for encounter, name in names
            for match in re.finditer(re.escape(name).replace(r"\ ", r"\s+"), notes[encounter])
        ]
        found = sum(_covers(one, [(i.start, i.end) for i in find_identifiers(one.text)]) for one in texts)
        print(f"full names of patients (aci-bench, {split}): found whole {wilson(found, len(texts))}")


def _report_identifiers(name: str, texts: Sequence[Seeded], finder: Finder) -> None:
    started = time.perf_counter()
    found = [finder(one.text) for one in texts]
    spent = time.perf_counter() - started
    spans = [(one, span) for one, spans in zip(texts, found, strict=True) for span in spans]
    right = sum(start < one.end and one.start < end for one, (start, end) in spans)
    print(f"identifiers, {name}: precision {wilson(right, len(spans))}, {1000 * spent / len(texts):.2f} ms a text")
    for kind in sorted({one.kind for one in texts}):
        those = [(one, spans) for one, spans in zip(texts, found, strict=True) if one.kind == kind]
        whole = sum(_covers(one, spans) for one, spans in those)
        print(f"  {kind}: found whole {wilson(whole, len(those))}")


def _covers(one: Seeded, spans: Sequence[tuple[int, int]]) -> bool:
    characters = {place for start, end in spans for place in range(start, end)}
    return all(place in characters for place in range(one.start, one.end) if one.text[place].isalnum())


def presidio_finder() -> Finder | None:
    """Presidio's pattern recognisers for English, without a trained model."""
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
    except ImportError:
        return None
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    engine.nlp = {"en": spacy.blank("en")}
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    return lambda text: [(found.start, found.end) for found in analyzer.analyze(text, language="en")]


def rates(data: Path) -> None:
    """Whole analyses in one process, one thread: seconds of the processor, so that neighbours do not count."""
    for name, texts in {
        "visit notes (aci-bench)": list(_column(data / "aci-bench" / "train.csv", "note")),
        "sections (mts-dialog)": list(_column(data / "mts-dialog" / "MTS-Dialog-TrainingSet.csv", "section_text")),
    }.items():
        analyse(texts[0])
        each = []
        for text in texts:
            started = time.process_time()
            analyse(text)
            each.append(time.process_time() - started)
        each.sort()
        mean = sum(map(len, texts)) / len(texts)
        print(
            f"{name}: {len(texts) / sum(each):.0f} notes/s, median {1000 * each[len(each) // 2]:.1f} ms, "
            f"95th {1000 * each[int(0.95 * len(each))]:.1f} ms (n = {len(texts)}, {mean:.0f} characters on average)"
        )


def _column(path: Path, name: str) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from (row[name] for row in csv.DictReader(file))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/notes"))
