"""Ribs, clavicles, scapulae and spine as brightness to add to a chest."""

from __future__ import annotations

import numpy as np

from services.diagnosis.ward.anatomy import Chest, Field, Nuisance, bump, ellipse, ramp, wave


def skeleton(chest: Chest, n: Nuisance) -> Field:
    """All bones, already scaled; `bone` is their mineral share, 1 in the young."""
    scapulae = ramp(ellipse(chest.off, chest.y, (0.315 - n["scapula_in"] + n["scapula"], 0.30), (0.05, 0.13), 14), 0.03)
    bones = _ribs(chest, n) + np.float32(n["bone"]) * (_clavicles(chest, n) + _spine(chest, n))
    return np.asarray(bones + np.float32(0.04 * n["bone"]) * scapulae, dtype=np.float32)


def _ribs(chest: Chest, n: Nuisance) -> Field:
    off, y = chest.off, chest.y
    cage = ramp(chest.wall + 0.022 - off, 0.02) * ramp(y - n["apex_y"] + 0.02, 0.03) * ramp(chest.dome + 0.1 - y, 0.16)
    back = wave((y - n["rib_slope"] * off * off) / n["rib_spacing"] + n["rib_phase"])
    posterior = ramp(back - 0.25, 0.5) - 0.35 * ramp(back - 0.75, 0.4)
    front = wave((y + 0.42 * off) / (1.22 * n["rib_spacing"]) + n["rib_phase"] * 2)
    anterior = ramp(front - 0.45, 0.5) * ramp(off - 0.12, 0.1) * ramp(y - 0.2, 0.08)
    return np.asarray(np.float32(n["rib_contrast"] * n["bone"]) * cage * (posterior + 0.45 * anterior))


def _clavicles(chest: Chest, n: Nuisance) -> Field:
    off = chest.off
    centre = n["clavicle_y"] + 0.03 * np.cos((off - 0.05) * 11) - (0.14 + n["clavicle_tilt"] * chest.side) * off
    thickness = 0.011 + 0.008 * bump(off, 0.05, 0.03)
    distance = thickness - np.abs(chest.y - centre)
    bone = ramp(distance, 0.012) - 0.3 * ramp(distance - 0.45 * thickness, 0.012)
    return np.asarray(0.10 * bone * ramp(off - 0.036, 0.022) * ramp(0.36 - off, 0.03), dtype=np.float32)


def _spine(chest: Chest, n: Nuisance) -> Field:
    vertebrae = 0.75 + 0.25 * wave(chest.y / (0.92 * n["rib_spacing"]))
    return np.asarray(0.055 * ramp(0.036 - chest.off, 0.014) * vertebrae, dtype=np.float32)
