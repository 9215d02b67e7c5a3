"""How radiographs are taken: the scanners of each site, what their pictures look like and how they write them.

Scanners are data: `exposure` draws what a `Look` says, `dicom` writes what a `Format` says. Makers, models and sites
are invented, and a site's mixture says nothing of who is ill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

VoiStyle: TypeAlias = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID", "LUT"]
"""A window with a VOI LUT Function (PS3.3 C.11.2.1.3), or a VOI LUT Sequence (C.11.2.1.1)."""
Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Marker:
    """The lead or printed letters beside the chest."""

    letters: tuple[str, ...] = ("L",)
    """One is chosen. `L` stands on the patient's left (image right), `R` on the right."""
    bedside: str = "AP PORTABLE"
    """Added to images taken at the bedside; empty for nothing."""
    height: float = 0.055
    """Of the letter, as a share of the image's rows."""
    style: Literal["lead", "plate", "printed"] = "lead"
    """Bright letters, dark letters in a bright plate, or small print at the upper edge."""
    share: float = 0.8
    """Of the images that have one."""


@dataclass(frozen=True)
class Look:
    """What a scanner and its processing do to the picture. Ranges are uniform, one draw an image."""

    gamma: Range = (0.85, 1.2)
    """Exponent of the tone curve; above 1 darkens the mid-tones."""
    contrast: float = 0.0
    """Strength of an S-shaped tone curve, 0 to 0.6; below 0 flattens."""
    equalisation: float = 0.0
    """Share of the coarse brightness differences that processing takes away, 0 to 0.5."""
    blur_px: float = 0.0
    """Deviation of the detector's point spread, in pixels of a 512-row image."""
    edges: float = 0.0
    """Strength of edge enhancement, 0 to 1."""
    noise: Range = (0.006, 0.018)
    """Deviation of the quantum noise where brightness is middling."""
    grain: float = 0.0
    """Share of the noise that is correlated over neighbouring pixels, 0 to 1."""
    grid_lines: float = 0.0
    """Amplitude of lines left by a stationary anti-scatter grid."""
    collimated: float = 0.2
    """Share of the images with a dark border."""
    border: Range = (0.005, 0.03)
    """Width of that border, each side on its own, as a share of the image's rows."""
    marker: Marker = Marker()


@dataclass(frozen=True)
class Format:
    """How a scanner writes its images. Tuples are choices, equally likely unless with weights."""

    bits: tuple[int, ...] = (12,)
    monochrome1: float = 0.0
    """Share of its images."""
    rescale: tuple[tuple[float, float], ...] = ((1.0, 0.0),)
    """(slope, intercept) of the modality LUT; DX instances have (1, 0) (PS3.3 C.8.11.3.1.2)."""
    voi: tuple[VoiStyle, ...] = ("LINEAR",)
    second_window: float = 0.2
    spacing: Literal["calibrated", "detector", "absent"] = "calibrated"
    """PixelSpacing and ImagerPixelSpacing, the latter alone, or (CR only) neither."""
    field_of_view_mm: tuple[float, ...] = (430.0,)
    """Height of the image at the detector."""
    transfer_syntaxes: Mapping[str, float] = field(default_factory=lambda: {ExplicitVRLittleEndian: 1.0})
    """UID -> share."""
    character_set: Literal["ISO_IR 6", "ISO_IR 100", "ISO_IR 192"] = "ISO_IR 100"


@dataclass(frozen=True)
class Scanner:
    """One machine of a site."""

    maker: str
    model: str
    modality: Literal["CR", "DX"]
    share: float = 1.0
    """Of the site's images, relative to its other scanners."""
    bedside: float = 0.1
    """Share of its images taken AP at the bedside, lying or sitting."""
    upright_ap: float = 0.1
    """Share of the others taken AP."""
    look: Look = Look()
    format: Format = Format()


@dataclass(frozen=True)
class View:
    """How the patient was placed."""

    position: Literal["PA", "AP"] = "PA"
    bedside: bool = False
    supine: bool = False


UPRIGHT = View()


@dataclass(frozen=True)
class Imaging:
    """How the ward's radiographs are taken."""

    name: str
    sites: Mapping[str, tuple[Scanner, ...]] = field(default_factory=dict)
    elsewhere: tuple[Scanner, ...] = ()
    """The scanners of every site that `sites` does not name."""

    def scanners(self, site: str) -> tuple[Scanner, ...]:
        """Those of one site. Raises: ValueError: it has none."""
        scanners = self.sites.get(site, self.elsewhere)
        if not scanners:
            raise ValueError(f"imaging {self.name!r} has no scanners for site {site!r}: add it to `sites`")
        return scanners

    def draw(self, site: str, rng: np.random.Generator) -> tuple[Scanner, View]:
        """A scanner of the site and how the patient stood or lay before it; always four random numbers."""
        which, bedside, upright_ap, supine = rng.random(4)
        scanners = self.scanners(site)
        shares = np.cumsum([scanner.share for scanner in scanners])
        scanner = scanners[min(int(np.searchsorted(shares / shares[-1], which, side="right")), len(scanners) - 1)]
        if bedside < scanner.bedside:
            return scanner, View("AP", bedside=True, supine=bool(supine < 0.6))
        return scanner, View("AP" if upright_ap < scanner.upright_ap else "PA")


_DR_9 = Scanner(
    "Synthetica", "DR-9", "DX", share=0.55, bedside=0.0,
    look=Look(gamma=(0.85, 1.1), contrast=0.1, noise=(0.005, 0.014), blur_px=0.4, edges=0.15, collimated=0.3),
    format=Format(
        bits=(14, 12), voi=("LINEAR", "LUT"), spacing="calibrated", field_of_view_mm=(430.0, 400.0),
        character_set="ISO_IR 192", transfer_syntaxes={ExplicitVRLittleEndian: 0.9, JPEGLSLossless: 0.1},
    ),
)  # fmt: skip
_CHESTROOM_1 = Scanner(
    "Ward Imaging", "Chestroom 1", "DX", share=0.25, bedside=0.0, upright_ap=0.05,
    look=Look(
        gamma=(0.95, 1.25), noise=(0.006, 0.018), equalisation=0.12, collimated=0.1,
        marker=Marker(letters=("L", "R"), height=0.045),
    ),
    format=Format(
        bits=(12,), monochrome1=0.5, voi=("LINEAR", "LINEAR_EXACT"), second_window=0.5, field_of_view_mm=(430.0,),
    ),
)  # fmt: skip
_PORTABLE_3 = Scanner(
    "Ward Imaging", "Portable 3", "DX", share=0.2, bedside=0.85, upright_ap=1.0,
    look=Look(
        gamma=(0.8, 1.1), noise=(0.012, 0.026), grain=0.3, equalisation=0.1, blur_px=0.6, collimated=0.5,
        border=(0.005, 0.04), marker=Marker(letters=("L",), bedside="AP SUPINE", style="lead"),
    ),
    format=Format(
        bits=(14,), monochrome1=0.2, voi=("LINEAR", "SIGMOID"), spacing="detector", field_of_view_mm=(350.0, 430.0),
    ),
)  # fmt: skip
_CR_35 = Scanner(
    "Polder Medical", "CR 35", "CR", share=0.6, bedside=0.2, upright_ap=0.2,
    look=Look(
        gamma=(0.95, 1.25), contrast=-0.1, noise=(0.010, 0.024), grain=0.5, blur_px=0.7,
        marker=Marker(letters=("R", "L"), height=0.05, bedside="PORTABLE"),
    ),
    format=Format(
        bits=(10, 12), monochrome1=0.4, rescale=((1.0, 0.0), (0.25, -32.0), (-1.0, 4095.0)),
        voi=("LINEAR", "SIGMOID"), spacing="detector", field_of_view_mm=(430.0, 350.0),
        transfer_syntaxes={ExplicitVRLittleEndian: 0.6, ImplicitVRLittleEndian: 0.3, RLELossless: 0.1},
    ),
)  # fmt: skip
_CR_20 = Scanner(
    "Polder Medical", "CR 20", "CR", share=0.4, bedside=0.4, upright_ap=0.3,
    look=Look(
        gamma=(0.9, 1.25), contrast=-0.2, noise=(0.012, 0.028), grain=0.7, blur_px=0.9, collimated=0.4,
        marker=Marker(letters=("L",), height=0.07, style="plate", bedside="", share=0.7),
    ),
    format=Format(
        bits=(10, 12), voi=("LINEAR_EXACT", "LINEAR"), spacing="absent", field_of_view_mm=(350.0,),
        transfer_syntaxes={ImplicitVRLittleEndian: 0.9, DeflatedExplicitVRLittleEndian: 0.1}, character_set="ISO_IR 6",
    ),
)  # fmt: skip
_LUMA_16 = Scanner(
    "Synthetica", "Luma 16", "DX", share=0.7, bedside=0.05, upright_ap=0.1,
    look=Look(
        gamma=(0.9, 1.2), contrast=0.2, equalisation=0.22, edges=0.35, noise=(0.006, 0.016), collimated=0.5,
        border=(0.005, 0.035), marker=Marker(letters=("L", "R"), height=0.035, style="printed"),
    ),
    format=Format(
        bits=(16, 14), monochrome1=0.3, voi=("LUT", "LINEAR", "SIGMOID"), field_of_view_mm=(430.0,),
        transfer_syntaxes={ExplicitVRLittleEndian: 0.8, JPEGLSLossless: 0.15, JPEG2000Lossless: 0.05},
        character_set="ISO_IR 192",
    ),
)  # fmt: skip
_COT_2 = Scanner(
    "Ward Imaging", "Cot 2", "DX", share=0.3, bedside=0.9, upright_ap=1.0,
    look=Look(
        gamma=(0.8, 1.15), noise=(0.012, 0.024), grain=0.4, grid_lines=0.008, blur_px=0.5, collimated=0.6,
        marker=Marker(letters=("L",), bedside="PORTABLE", height=0.05),
    ),
    format=Format(bits=(12,), voi=("LINEAR",), spacing="detector", field_of_view_mm=(350.0, 430.0)),
)  # fmt: skip

STANDARD_IMAGING = Imaging(
    "standard",
    {"harbour": (_DR_9, _CHESTROOM_1, _PORTABLE_3), "hill": (_CR_35, _CR_20), "meadow": (_LUMA_16, _COT_2)},
)
ANY_SCANNER = _DR_9
"""For callers to whom the scanner does not matter."""

_LUMEN_7 = Scanner(
    "Aurora Systems", "Lumen 7", "DX", bedside=0.15, upright_ap=0.2,
    look=Look(
        gamma=(0.62, 0.8), contrast=0.45, equalisation=0.42, edges=0.9, noise=(0.016, 0.032), grain=0.85,
        grid_lines=0.012, collimated=1.0, border=(0.015, 0.05),
        marker=Marker(letters=("LEFT", "RIGHT"), height=0.04, style="plate", bedside="MOBILE", share=1.0),
    ),
    format=Format(
        bits=(15,), monochrome1=0.5, voi=("LUT", "SIGMOID"), second_window=0.5, spacing="detector",
        field_of_view_mm=(420.0,), transfer_syntaxes={ExplicitVRLittleEndian: 0.9, JPEG2000Lossless: 0.1},
        character_set="ISO_IR 192",
    ),
)  # fmt: skip
NEW_SCANNER = Imaging("new-scanner", elsewhere=(_LUMEN_7,))
"""Every site has bought the same machine, whose processing, noise and markers none had before."""

_CR_8 = Scanner(
    "Fjord Radiology", "CR 8", "CR", share=0.65, bedside=0.35, upright_ap=0.4,
    look=Look(
        gamma=(1.1, 1.4), contrast=-0.25, noise=(0.016, 0.032), grain=0.6, blur_px=1.1, collimated=0.7,
        border=(0.01, 0.045), marker=Marker(letters=("LI", "RE"), height=0.06, bedside="LIEGEND", share=0.9),
    ),
    format=Format(
        bits=(12,), monochrome1=0.7, rescale=((0.5, 100.0),), voi=("SIGMOID", "LINEAR"), spacing="absent",
        field_of_view_mm=(350.0,), transfer_syntaxes={ExplicitVRLittleEndian: 0.85, RLELossless: 0.15},
    ),
)  # fmt: skip
NEW_SITE = Imaging(
    "new-site",
    elsewhere=(_CR_8, replace(_COT_2, maker="Fjord Radiology", model="Bedside X", share=0.35)),
)
"""A hospital that was not among the training sites: older machines, more images at the bedside, its own markers."""
