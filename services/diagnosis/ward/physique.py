"""What age, sex, build and posture do to a chest. None of it depends on a finding or a diagnosis."""

from __future__ import annotations

import numpy as np

from services.diagnosis.ward.anatomy import Nuisance
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.scanners import View


def physique(drawn: Nuisance, person: Person, view: View) -> Nuisance:
    """The drawn nuisance, moved to where this person in this posture lies, with the entries that follow from both.

    New entries: bone (mineral share), unfolding (of the aorta), rim (its calcification), girth and veil (of soft
    tissue), scatter (share of contrast lost), magnification (of the heart), scapula_in.
    """
    n = dict(drawn)
    _set_age(n, person)
    _set_build(n, person)
    _set_posture(n, view)
    return n


def _set_age(n: dict[str, float], person: Person) -> None:
    """Osteopenia from 50 on, sooner in women; an unfolded, calcified aorta; shallower breaths."""
    old = float(np.clip((person.age_years - 45) / 45, 0, 1))
    n["bone"] = 1 - (0.55 if person.sex == "F" else 0.35) * old
    n["unfolding"] = old * (0.4 + 0.6 * n["calcification"])
    n["rim"] = max(0.0, old - 0.35) * n["calcification"]
    n["inspiration"] -= 0.012 * old


def _set_build(n: dict[str, float], person: Person) -> None:
    """Habitus from 0, thin, to 1, obese: more tissue before the lungs, higher domes, less contrast."""
    heavy = n["habitus"] ** 2
    n["girth"] = 0.05 * heavy - 0.015
    n["veil"] = 0.07 * heavy
    n["scatter"] = 0.2 * heavy
    n["inspiration"] -= 0.015 * heavy
    if person.sex == "F":
        n["chest_width"] *= 0.965
        n["breast"] *= 0.04 + 0.05 * n["habitus"]
    else:
        n["breast"] *= 0.025 * heavy


def _set_posture(n: dict[str, float], view: View) -> None:
    """AP: heart larger, scapulae over the lungs, clavicles higher. At the bedside: skewed, and a shallower breath."""
    ap = view.position == "AP"
    n["magnification"] = 1.05 if ap else 1.0
    n["scapula_in"] = 0.03 if ap else 0.0
    n["clavicle_y"] -= 0.022 if ap else 0.0
    if view.bedside:
        n["rotation_deg"] *= 1.7
        n["shift_x"] *= 1.2
        n["inspiration"] -= 0.012
    if view.supine:
        n["inspiration"] -= 0.012
        n["gastric_bubble"] = 0.0  # its air lies in front, not on top
