"""A MIMIC folder of four subjects: every official column in the official order, every value made up.

Schemas: MIMIC-IV 3.1, MIMIC-IV-ED 2.2, MIMIC-IV-Note 2.2, MIMIC-CXR-JPG 2.1.0.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

HEADERS: dict[str, str] = {
    "hosp/patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "hosp/admissions": (
        "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,admit_provider_id,admission_location,"
        "discharge_location,insurance,language,marital_status,race,edregtime,edouttime,hospital_expire_flag"
    ),
    "hosp/diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
    "hosp/labevents": (
        "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,valuenum,"
        "valueuom,ref_range_lower,ref_range_upper,flag,priority,comments"
    ),
    "hosp/d_labitems": "itemid,label,fluid,category",
    "icu/icustays": "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los",
    "icu/d_items": ("itemid,label,abbreviation,linksto,category,unitname,param_type,lownormalvalue,highnormalvalue"),
    "icu/chartevents": (
        "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valuenum,valueuom,warning"
    ),
    "ed/edstays": "subject_id,hadm_id,stay_id,intime,outtime,gender,race,arrival_transport,disposition",
    "ed/triage": "subject_id,stay_id,temperature,heartrate,resprate,o2sat,sbp,dbp,pain,acuity,chiefcomplaint",
    "ed/vitalsign": "subject_id,stay_id,charttime,temperature,heartrate,resprate,o2sat,sbp,dbp,rhythm,pain",
    "ed/diagnosis": "subject_id,stay_id,seq_num,icd_code,icd_version,icd_title",
    "note/discharge": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text",
    "note/radiology": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text",
    "mimic-cxr-2.0.0-metadata": (
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
        "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
    ),
    "mimic-cxr-2.0.0-split": "dicom_id,study_id,subject_id,split",
    "mimic-cxr-2.0.0-chexpert": (
        "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,"
        "Lung Lesion,Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
    ),
}
ITEMS = (
    (220045, "Heart Rate", "bpm"),
    (220050, "Arterial Blood Pressure systolic", "mmHg"),
    (220051, "Arterial Blood Pressure diastolic", "mmHg"),
    (220179, "Non Invasive Blood Pressure systolic", "mmHg"),
    (220180, "Non Invasive Blood Pressure diastolic", "mmHg"),
    (220210, "Respiratory Rate", "insp/min"),
    (220277, "O2 saturation pulseoxymetry", "%"),
    (223761, "Temperature Fahrenheit", "°F"),
    (223762, "Temperature Celsius", "°C"),
    (224690, "Respiratory Rate (Total)", "insp/min"),
    (225309, "ART BP Systolic", "mmHg"),
    (225310, "ART BP Diastolic", "mmHg"),
    (220621, "Glucose (serum)", ""),
)
Row = Mapping[str, object]

PNEUMONIA, HOME, SEPTIC, FRACTURE = 10000032, 10000117, 10000935, 10001217
"""Subjects: admitted with pneumonia and moved to intensive care; chest pain and sent home; sepsis coded before
pneumonia, dies; a fracture, none of the eight."""
DICOM = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"
LATERAL = "174413ec-4ec4c1f7-34ea26b7-c5f994f8-79ef1962"
LATE = "2a2277a9-b0ded155-c0de8eb9-c124d10e-82c5caab"


def default_tables() -> dict[str, list[Row]]:
    """Rows by table; a column that a row does not name is empty."""
    return {
        "hosp/patients": [
            {"subject_id": PNEUMONIA, "gender": "F", "anchor_age": 52, "anchor_year": 2178},
            {"subject_id": HOME, "gender": "M", "anchor_age": 48, "anchor_year": 2174},
            {"subject_id": SEPTIC, "gender": "F", "anchor_age": 91, "anchor_year": 2182, "dod": "2182-03-11"},
            {"subject_id": FRACTURE, "gender": "M", "anchor_age": 30, "anchor_year": 2150},
        ],
        "hosp/admissions": [
            _admission(PNEUMONIA, 22595853, "2180-05-06 21:00:00", "2180-05-09 17:15:00", "WHITE - RUSSIAN"),
            {
                **_admission(SEPTIC, 26381316, "2182-03-09 12:00:00", "2182-03-10 09:00:00", "BLACK/AFRICAN AMERICAN"),
                "deathtime": "2182-03-10 09:00:00", "hospital_expire_flag": 1,
            },
            _admission(FRACTURE, 24597018, "2150-11-18 22:56:00", "2150-11-25 18:00:00", "WHITE"),
        ],
        "hosp/diagnoses_icd": [
            _code(PNEUMONIA, 22595853, 1, "J189", 10),
            _code(PNEUMONIA, 22595853, 2, "J90", 10),
            _code(SEPTIC, 26381316, 1, "0389", 9),
            _code(SEPTIC, 26381316, 2, "486", 9),
            _code(FRACTURE, 24597018, 1, "S72001A", 10),
        ],
        "hosp/labevents": [{"labevent_id": 1, "subject_id": PNEUMONIA, "specimen_id": 1, "itemid": 50931}],
        "hosp/d_labitems": [{"itemid": 50931, "label": "Glucose", "fluid": "Blood", "category": "Chemistry"}],
        "icu/icustays": [
            {
                "subject_id": PNEUMONIA, "hadm_id": 22595853, "stay_id": 39553978, "intime": "2180-05-06 23:30:00",
                "outtime": "2180-05-08 10:00:00", "first_careunit": "MICU", "last_careunit": "MICU", "los": 1.43,
            }
        ],
        "icu/d_items": [
            {"itemid": item, "label": label, "abbreviation": label, "linksto": "chartevents",
             "category": "Routine Vital Signs", "unitname": unit, "param_type": "Numeric"}
            for item, label, unit in ITEMS
        ],
        "icu/chartevents": [
            _chart(PNEUMONIA, 22595853, "2180-05-06 21:40:00", 223762, 38.4),
            _chart(PNEUMONIA, 22595853, "2180-05-06 21:40:00", 220621, 141),
            _chart(PNEUMONIA, 22595853, "2180-05-06 23:45:00", 220045, 140),
        ],
        "ed/edstays": [
            _stay(PNEUMONIA, 22595853, 33258284, "2180-05-06 19:17:00", "2180-05-06 23:30:00", "ADMITTED"),
            _stay(HOME, None, 32642808, "2174-08-03 02:00:00", "2174-08-03 05:30:00", "HOME"),
            _stay(SEPTIC, 26381316, 35197384, "2182-03-09 10:00:00", "2182-03-09 14:00:00", "ADMITTED"),
            _stay(FRACTURE, 24597018, 39866888, "2150-11-18 18:10:00", "2150-11-18 23:00:00", "ADMITTED"),
        ],
        "ed/triage": [
            _triage(PNEUMONIA, 33258284, "Dyspnea, Fever", 101.3, 112, 26, 91, 98, 54),
            _triage(HOME, 32642808, "Chest pain", 97.6, 81, 16, 100, 148, 83),
            _triage(SEPTIC, 35197384, "Altered mental status", None, 120, 24, 88, 84, 40),
            _triage(FRACTURE, 39866888, "s/p Fall", 98.1, 90, 18, 99, 130, 80),
        ],
        "ed/vitalsign": [
            {"subject_id": PNEUMONIA, "stay_id": 33258284, "charttime": "2180-05-06 20:17:00", "heartrate": 108,
             "temperature": 98.6, "resprate": 24, "o2sat": 93, "sbp": 101, "dbp": 60, "rhythm": "sinus", "pain": "3"},
            {"subject_id": PNEUMONIA, "stay_id": 33258284, "charttime": "2180-05-06 22:30:00", "heartrate": 99},
        ],
        "ed/diagnosis": [
            {"subject_id": HOME, "stay_id": 32642808, "seq_num": 1, "icd_code": "R0789", "icd_version": 10,
             "icd_title": "OTHER CHEST PAIN"},
            {"subject_id": PNEUMONIA, "stay_id": 33258284, "seq_num": 1, "icd_code": "R0602", "icd_version": 10,
             "icd_title": "SHORTNESS OF BREATH"},
        ],
        "note/discharge": [
            _note(PNEUMONIA, 21111111, "10000032-DS-20", "2180-05-02 00:00:00", "2180-05-03 11:00:00",
                  "Name: ___\nDischarged home after cholecystectomy, \"doing well\"."),
            _note(PNEUMONIA, 22595853, "10000032-DS-21", "2180-05-09 00:00:00", "2180-05-10 08:00:00",
                  "Final diagnosis: pneumonia."),
        ],
        "note/radiology": [
            _note(PNEUMONIA, 22595853, "10000032-RR-14", "2180-05-06 20:05:00", "2180-05-06 21:00:00",
                  "Right lower lobe pneumonia."),
            _note(PNEUMONIA, None, "10000032-RR-2", "2179-01-01 10:00:00", "2179-01-01 12:00:00", "Old film."),
        ],
        "mimic-cxr-2.0.0-metadata": [
            _image(DICOM, PNEUMONIA, 50414267, "AP", "21800506", "200500.531"),
            _image(LATERAL, PNEUMONIA, 50414267, "LATERAL", "21800506", "200600.531"),
            _image(LATE, PNEUMONIA, 53189527, "AP", "21800507", "83000.125"),
        ],
        "mimic-cxr-2.0.0-split": [
            {"dicom_id": dicom, "study_id": 50414267, "subject_id": PNEUMONIA, "split": "validate"}
            for dicom in (DICOM, LATERAL, LATE)
        ],
        "mimic-cxr-2.0.0-chexpert": [{"subject_id": PNEUMONIA, "study_id": 50414267, "Pneumonia": 1.0}],
    }  # fmt: skip


@dataclass
class MimicFolder:
    """A folder to be changed and written."""

    root: Path
    tables: dict[str, list[Row]] = field(default_factory=default_tables)
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))

    def write(self) -> Path:
        """Write every table and the radiographs; returns the folder."""
        for name, rows in self.tables.items():
            write_table(self.root / f"{name}.csv.gz", self.headers[name], rows)
        for row in self.tables.get("mimic-cxr-2.0.0-metadata", ()):
            self.jpg(row).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture()).save(self.jpg(row), quality=95)
        return self.root

    def jpg(self, row: Row) -> Path:
        """The radiograph of a metadata row."""
        subject = str(row["subject_id"])
        return self.root / f"files/p{subject[:2]}/p{subject}/s{row['study_id']}/{row['dicom_id']}.jpg"

    def change(self, name: str, row: int, **values: object) -> None:
        """Other values in a row, counted from 0."""
        self.tables[name][row] = {**self.tables[name][row], **values}


def write_table(file: Path, header: str, rows: Iterable[Row]) -> None:
    """One table as published: gzipped CSV, LF, quotes where needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "wt", encoding="utf-8", newline="", compresslevel=1) as stream:
        writer = csv.DictWriter(stream, header.split(","), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)


def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """60 by 40, dark above, bright below."""
    return np.linspace(0, 255, 60, dtype=np.uint8)[:, None].repeat(40, axis=1)


def _admission(subject: int, hadm: int, start: str, end: str, race: str) -> Row:
    return {
        "subject_id": subject, "hadm_id": hadm, "admittime": start, "dischtime": end, "admission_type": "EW EMER.",
        "admit_provider_id": "P49AFC", "admission_location": "EMERGENCY ROOM", "discharge_location": "HOME",
        "insurance": "Medicare", "language": "English", "marital_status": "WIDOWED", "race": race,
        "hospital_expire_flag": 0,
    }  # fmt: skip


def _code(subject: int, hadm: int, position: int, code: str, version: int) -> Row:
    return {"subject_id": subject, "hadm_id": hadm, "seq_num": position, "icd_code": code, "icd_version": version}


def _chart(subject: int, hadm: int, at: str, item: int, value: float) -> Row:
    return {
        "subject_id": subject, "hadm_id": hadm, "stay_id": 39553978, "caregiver_id": 18704, "charttime": at,
        "storetime": at, "itemid": item, "value": value, "valuenum": value, "warning": 0,
    }  # fmt: skip


def _stay(subject: int, hadm: int | None, stay: int, start: str, end: str, disposition: str) -> Row:
    return {
        "subject_id": subject, "hadm_id": hadm, "stay_id": stay, "intime": start, "outtime": end, "gender": "F",
        "race": "WHITE", "arrival_transport": "AMBULANCE", "disposition": disposition,
    }  # fmt: skip


def _triage(subject: int, stay: int, complaint: str, *signs: float | None) -> Row:
    names = ("temperature", "heartrate", "resprate", "o2sat", "sbp", "dbp")
    given = dict(zip(names, signs, strict=True))
    return {"subject_id": subject, "stay_id": stay, **given, "pain": "uta", "acuity": 2, "chiefcomplaint": complaint}


def _note(subject: int, hadm: int | None, note: str, at: str, stored: str, text: str) -> Row:
    return {
        "note_id": note, "subject_id": subject, "hadm_id": hadm, "note_type": note.split("-")[1],
        "note_seq": note.split("-")[2], "charttime": at, "storetime": stored, "text": text,
    }  # fmt: skip


def _image(dicom: str, subject: int, study: int, view: str, date: str, time: str) -> Row:
    return {
        "dicom_id": dicom, "subject_id": subject, "study_id": study,
        "PerformedProcedureStepDescription": "CHEST (PA AND LAT)", "ViewPosition": view, "Rows": 60, "Columns": 40,
        "StudyDate": date, "StudyTime": time, "ProcedureCodeSequence_CodeMeaning": "CHEST (PA AND LAT)",
        "ViewCodeSequence_CodeMeaning": "antero-posterior", "PatientOrientationCodeSequence_CodeMeaning": "Erect",
    }  # fmt: skip
