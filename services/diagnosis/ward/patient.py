"""One patient of the ward: the latent truth, rendered on demand as each part of the suite wants it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, ImageInput, NoteInput, Truth, VitalsInput
from services.diagnosis.ward import dicom, oracle, voi
from services.diagnosis.ward.conditions import Conditions
from services.diagnosis.ward.model import MODALITIES, Latents, Modality, WardModel
from services.diagnosis.ward.observation import draw_recorded
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.render_image import Radiograph, render_image
from services.diagnosis.ward.render_note import Note, render_note
from services.diagnosis.ward.render_vitals import Stream, render_vitals
from services.diagnosis.ward.transmission import Transmission, received, transmit

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

LONGEST_SIDE = 512
"""Of the image in a case; larger originals are averaged down to it."""


@dataclass(frozen=True)
class Streams:
    """Independent random streams, one for each thing that is rendered, so that none disturbs another."""

    image: np.random.SeedSequence
    note: np.random.SeedSequence
    vitals: np.random.SeedSequence
    encoding: np.random.SeedSequence
    missing: np.random.SeedSequence
    availability: np.random.SeedSequence
    recording: np.random.SeedSequence


@dataclass(frozen=True)
class WardPatient:
    """A patient. Everything is a function of (seed, index, conditions), the image's side and the anchor."""

    patient_id: str
    model: WardModel
    latents: Latents
    person: Person
    conditions: Conditions
    as_of: datetime
    image_at: datetime
    note_at: datetime
    side: int
    streams: Streams

    @cached_property
    def encoding(self) -> dicom.Encoding:
        """The scanner that took the image."""
        rng = np.random.default_rng(self.streams.encoding)
        return dicom.draw_encoding(rng, person=self.person, imaging=self.conditions.imaging)

    @cached_property
    def radiograph(self) -> Radiograph:
        """The image before it becomes integers, and its masks."""
        rng = np.random.default_rng(self.streams.image)
        return render_image(
            self.latents.findings, rng, side=self.side, person=self.person, scanner=self.encoding.scanner,
            view=self.encoding.view,
        )  # fmt: skip

    @cached_property
    def stored(self) -> NDArray[np.uint16]:
        """The pixel matrix of the DICOM instance."""
        return voi.to_stored(self.radiograph.brightness, self.encoding.grayscale)

    @cached_property
    def note(self) -> Note:
        """The admission note and where each finding stands in it."""
        rng = np.random.default_rng(self.streams.note)
        return render_note(self.latents.findings, rng, person=self.person, writing=self.conditions.writing)

    @cached_property
    def stream(self) -> Stream:
        """The wearable's samples and the windows of their events."""
        local = self.as_of + timedelta(minutes=self.encoding.offset_min)
        hour = local.hour + local.minute / 60
        rng = np.random.default_rng(self.streams.vitals)
        return render_vitals(
            self.latents.findings, rng, hour_of_day=hour, person=self.person, wearable=self.conditions.wearable
        )

    @cached_property
    def transmission(self) -> Transmission:
        """What the wearable sends of its samples."""
        vitals = self.streams.vitals
        own = np.random.SeedSequence(vitals.entropy, spawn_key=(*vitals.spawn_key, 0))
        return transmit(self.stream, np.random.default_rng(own), self.conditions.wearable)

    @cached_property
    def available(self) -> tuple[Modality, ...]:
        """The modalities the patient has under these conditions."""
        rng = np.random.default_rng(self.streams.availability)
        return self.conditions.missingness.draw(self.latents.label, len(self.model.prior), rng)

    @cached_property
    def recorded_label(self) -> int:
        """The diagnosis that stands in the record, which under label noise is not always the true one."""
        rng = np.random.default_rng(self.streams.recording)
        return draw_recorded(self.latents.label, self.conditions.label_noise, len(self.model.prior), rng)

    def case(self, *, missing: float = 0.0) -> CaseInput:
        """What the networks see: the available modalities, each left out with probability `missing`; one stays."""
        present = self._present(missing)
        return CaseInput(
            as_of=self.as_of,
            images=(self._image(),) if "image" in present else (),
            notes=(self._note(),) if "note" in present else (),
            vitals=self._vitals() if "vitals" in present else None,
            age_years=float(self.person.age_years),
            sex=self.person.sex,
            stated_by=tuple(f"{self.patient_id}-{name}" for name in ("image", "note", "vitals") if name in present)[:1],
        )

    @cached_property
    def truth(self) -> Truth:
        """What no model is told. Masks, spans and windows of the modalities that are available."""
        factor, there, findings = self._reduction(), self.available, self.latents.findings
        masks = self.radiograph.masks if "image" in there else {}
        return Truth(
            label=self.latents.label,
            deterioration=self.latents.deterioration,
            masks={name: mask[::factor, ::factor] for name, mask in masks.items()},
            spans=self.note.spans if "note" in there else (),
            windows=self.stream.windows if "vitals" in there else (),
            posterior=oracle.posteriors(self.model, findings, self.person),
            prior=oracle.posterior(self.model, findings, (), self.person).tolist(),
            recorded_label=self.recorded_label,
            available=there,
            findings=dict(findings),
            skin_type=self.person.skin_type,
            site=self.person.site,
            deterioration_posterior=oracle.deterioration_posteriors(self.model, findings, self.person),
            posterior_given_availability=oracle.posterior_given_availability(
                self.model, findings, there, self.person, self.conditions.missingness
            ).tolist(),
            severity=self.latents.severity,
            severity_posterior=oracle.severity_posteriors(self.model, findings, self.person),
            severity_prior=oracle.severity_posterior(self.model, findings, (), self.person).tolist(),
        )

    def dataset(self) -> FileDataset:
        """The radiograph as a DICOM instance."""
        name, person = dicom.invented_name(self.patient_id, self.encoding), self.person
        identity = dicom.Identity(self.patient_id, name, person.sex, person.age_years, self.image_at, person.site)
        return dicom.build_dataset(self.stored, self.encoding, identity)

    def note_json(self) -> dict[str, str]:
        """Body of `POST /notes`."""
        authored = self.note_at.isoformat().replace("+00:00", "Z")
        return {"patient": self.patient_id, "authored": authored, "type": self.note.type, "text": self.note.text}

    def vitals_ndjson(self) -> str:
        """Body of `POST /vitals/samples`, one sample a line, in the order of arrival."""
        sent, prefix = self.transmission, f'{{"patient":"{self.patient_id}","code":"'
        suffix = f'Z","device":"wearable-{self.patient_id}"}}\n'
        seconds = sent.seconds + int(self.as_of.timestamp())
        effective = np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()
        rows = zip(sent.codes, sent.values, sent.units, effective, strict=True)
        return "".join(f'{prefix}{c}","value":{v!r},"unit":"{u}","effective":"{t}{suffix}' for c, v, u, t in rows)

    def _present(self, missing: float) -> frozenset[Modality]:
        rng = np.random.default_rng(self.streams.missing)
        uniforms, keep = rng.random(len(MODALITIES)), int(rng.integers(len(MODALITIES)))
        uniform_of = dict(zip(MODALITIES, uniforms, strict=True))
        present = frozenset(modality for modality in self.available if uniform_of[modality] >= missing)
        return present or frozenset({self.available[keep % len(self.available)]})

    def _reduction(self) -> int:
        return -(-self.side // LONGEST_SIDE)

    def _image(self) -> ImageInput:
        pixels, factor = voi.to_displayed(self.stored, self.encoding.grayscale), self._reduction()
        rows, columns = pixels.shape
        if factor > 1:
            blocks = pixels[: rows // factor * factor, : columns // factor * factor]
            pixels = blocks.reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3))
        return ImageInput(
            id=f"{self.patient_id}-image", sop_instance_uid=dicom.uid(self.patient_id, "instance"), pixels=pixels,
            rows=rows,
            columns=columns, effective_at=self.image_at, modality=self.encoding.modality, body_part_examined="CHEST",
            view_position=self.encoding.view.position,
        )  # fmt: skip

    def _note(self) -> NoteInput:
        return NoteInput(id=f"{self.patient_id}-note", text=self.note.text, authored=self.note_at, type=self.note.type)

    def _vitals(self) -> VitalsInput:
        return VitalsInput(f"{self.patient_id}-vitals", *received(self.transmission))
