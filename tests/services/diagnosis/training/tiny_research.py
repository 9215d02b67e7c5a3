"""A small cohort of real-looking cases, children's films, and a text encoder that somebody else would have trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import BertConfig, BertModel

from services.diagnosis.datasets.base import split_of
from services.diagnosis.training.vocabulary import train_tokenizer
from tests.services.diagnosis.datasets.tiny import COHORT_ROW, OBSERVATION_COLUMNS, write_csv

FINDINGS = ("none", "covid19", "bacterial")
NOTES = ("", "Fever and dry cough for days.", "Chills and purulent sputum since Monday.")
SIDE = 48


def write_film(file: Path, brightness: int, number: int) -> None:
    """A grey picture, the brighter the sicker."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 60, (SIDE, SIDE))
    Image.fromarray((noise + brightness).astype(np.uint8)).save(file)


def write_research_cohort(path: Path, patients: int = 90) -> Path:
    """Patient k has finding k modulo 3 and two images if k is a multiple of 10; notes where there is a finding.

    Every fourth patient has vital signs, every third laboratory values.
    """
    rows, observations = [], []
    for k in range(patients):
        for image in range(1 + (k % 10 == 0)):
            name = f"i{k}-{image}"
            note = NOTES[k % 3]
            rows.append(
                {
                    "image_id": name, "image_file": f"images/{name}.png", "patient_id": f"P{k}", **COHORT_ROW,
                    "age": str(30 + k % 40), "sex": "FM"[k % 2], "finding": FINDINGS[k % 3],
                    "note_text": note, "note_text_masked": note, "note_text_masked_strict": note,
                    "licence": "CC BY 4.0" if k % 2 else "CC BY-NC-SA 4.0",
                }
            )  # fmt: skip
            write_film(path / "images" / f"{name}.png", 40 + 60 * (k % 3), 2 * k + image)
            if k % 4 == 0:
                observations.append((f"P{k}", name, "8310-5", f"{37 + k % 3}", "", "Cel", "-1.0"))
            if k % 3 == 0:
                observations.append((f"P{k}", name, "1988-5", f"{10 + k}", "", "mg/L", "0.0"))
    write_csv(path / "cohort.csv", list(rows[0]), [list(row.values()) for row in rows])
    write_csv(path / "observations.csv", OBSERVATION_COLUMNS, observations)
    return path


def patients_in(split: str, patients: int = 90) -> set[str]:
    """The pseudonyms that the cohort's splits give to one."""
    return {f"P{k}" for k in range(patients) if split_of("cxr-cohort", f"P{k}") == split}


def write_children(path: Path, count: int = 12) -> Path:
    """Children's films in the layout of their folder."""
    kinds = ("normal", "bacterial", "viral")
    header = ("image_id", "image_file", "patient_id", "label")
    rows = [(f"c{k}", f"images/c{k}.png", f"K{k}", kinds[k % 3]) for k in range(count)]
    write_csv(path / "labels.csv", header, rows)
    for k in range(count):
        write_film(path / "images" / f"c{k}.png", 40 + 60 * (k % 3 > 0), 1000 + k)
    return path


def write_encoder(place: Path) -> Path:
    """A small BERT with random weights, and a model card."""
    place.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=120, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(place)
    train_tokenizer(list(NOTES[1:]) * 3, size=120).save(str(place / "tokenizer.json"))
    (place / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n\n# An encoder\n", encoding="utf-8")
    return place
