"""How clinicians write each finding: paraphrases with abbreviations, for the styles a note may have.

A phrase is the span that explanations should find. Asserted, uncertain and negated statements are built from `CUES`
around it, or from `LISTS` around several, so every phrase reads as a noun. No phrase may name a diagnosis of
`shared.codes.DIAGNOSES` (tested). What else stands in a note is in `fillers.py`.
"""

from __future__ import annotations


def _options(text: str) -> tuple[str, ...]:
    return tuple(option.strip() for option in text.split("|"))


PHRASES: dict[str, tuple[str, ...]] = {
    "fever": _options(
        "fever | fevers | febrile illness at home | temp to 38.9 at home | high temperatures | pyrexia | "
        "feverish feeling | T max 39 per family"
    ),
    "productive_cough": _options(
        "productive cough | cough with green sputum | cough w/ purulent sputum | yellow phlegm | "
        "thick sputum production | wet cough bringing up phlegm | prod. cough | increased sputum volume"
    ),
    "orthopnoea": _options(
        "orthopnea | orthopnoea | three-pillow orthopnea | needing to sleep upright | PND | "
        "waking up gasping when flat | inability to lie flat | breathlessness lying flat"
    ),
    "pleuritic_pain": _options(
        "pleuritic chest pain | pleuritic CP | sharp chest pain worse on deep breath | pain on inspiration | "
        "stabbing pain with breathing | CP that is worse w/ inspiration | catching pain on deep inspiration"
    ),
    "leg_swelling": _options(
        "leg swelling | bilateral leg swelling | ankle oedema | LE edema | pitting edema to the knees | "
        "swollen ankles | BLE edema 2+ | puffy legs"
    ),
    "calf_pain": _options(
        "calf pain | unilateral calf swelling | calf tenderness | a sore swollen calf | pain in one calf | "
        "one-sided calf cramp | R>L calf asymmetry"
    ),
    "wheeze": _options(
        "wheeze | wheezing | expiratory wheeze | diffuse exp. wheezes | whistling breathing | audible wheeze "
        "| wheezy chest | polyphonic wheeze"
    ),
    "sudden_onset": _options(
        "sudden onset | abrupt onset of symptoms | symptoms that began within seconds | "
        "acute onset while walking | onset out of the blue | sx that came on suddenly | instantaneous onset"
    ),
    "haemoptysis": _options(
        "hemoptysis | haemoptysis | blood-streaked sputum | coughing up blood | bloody sputum | "
        "specks of blood in the sputum | rusty blood on coughing"
    ),
    "rigors": _options(
        "rigors | shaking chills | rigours | teeth-chattering chills | uncontrollable shivering | "
        "shakes and chills | chills w/ rigors"
    ),
    "confusion": _options(
        "confusion | new confusion | AMS | altered mental status | disorientation | "
        "acute confusion per family | muddled thinking | drowsiness and disorientation"
    ),
    "urinary_symptoms": _options(
        "dysuria | burning on urination | urinary frequency and dysuria | flank pain with dysuria | "
        "foul-smelling urine | cloudy urine | LUTS w/ dysuria | suprapubic pain and frequency"
    ),
    "weight_loss": _options(
        "weight loss | unintentional weight loss | wt loss of 6 kg | loss of weight over months | "
        "unplanned wt loss | dropping several kilos | clothes becoming loose from weight loss"
    ),
    "reduced_air_entry": _options(
        "reduced air entry | decreased breath sounds | diminished BS on one side | dec. BS unilaterally | "
        "quiet breath sounds | poor air entry | absent breath sounds over one lung"
    ),
    "dull_percussion": _options(
        "dullness to percussion | dull percussion note | stony dullness | basal dullness | dull to perc. | "
        "dull base | percussion dullness"
    ),
    "smoking": _options(
        "40 pack-year smoking history | active smoking | tobacco use | heavy smoking | smoking (30 pk-yrs) | "
        "current smoker status | 1 ppd tobacco habit | long smoking history"
    ),
    "cardiac_history": _options(
        "prior MI | CAD s/p CABG | ischaemic cardiomyopathy | EF 35% on last echo | coronary artery disease | "
        "previous heart attack | dilated cardiomyopathy | LV dysfunction"
    ),
    "recent_surgery": _options(
        "recent surgery | knee replacement 2 wks ago | hip arthroplasty last month | "
        "recent abdominal operation | s/p ORIF 10 days ago | surgery three weeks ago | "
        "recent prolonged immobilisation after surgery"
    ),
    "malignancy": _options(
        "known malignancy | breast ca | lymphoma | metastatic colon cancer | active cancer on chemo | "
        "hx of ovarian cancer | ongoing oncology treatment"
    ),
    "diabetes": _options(
        "T2DM | type 2 diabetes | diabetes mellitus | DM2 on metformin | insulin-treated diabetes | NIDDM | "
        "diabetes (HbA1c 8.1 %) | T1DM since childhood"
    ),
    "chronic_kidney_disease": _options(
        "CKD stage 3 | chronic kidney disease | CKD 3b | chronic renal impairment | CKD (eGFR 38) | "
        "renal insufficiency, chronic | reduced kidney function for years | CKD4"
    ),
    "chronic_lung_disease": _options(
        "chronic lung disease | emphysema on prior CT | bronchiectasis | known obstructive lung disease | "
        "home inhalers for chronic lung disease | long-standing asthma | chronic bronchitis | pulmonary fibrosis"
    ),
}

_SIDED = _options(
    "tender over the {side} lower ribs | {side}-sided rib tenderness | soreness at the {side} costal margin | "
    "{letter} lower chest wall TTP | {side} lower rib soreness | TTP {side} lateral ribs | "
    "point tenderness of the {side} ribs"
)

PAIR_PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "rib_tenderness": {
        side: tuple(phrase.format(side=side, letter=side[0].upper()) for phrase in _SIDED) for side in ("left", "right")
    },
    "breathless_spells": {
        "earlier": _options(
            "spells of breathlessness two to three days ago | SOB spells 2-3 days back, calmer since | "
            "attacks of breathlessness three days ago | episodic dyspnoea that settled two days ago | "
            "breathless spells earlier this week that stopped two days ago | dyspnea spells ~60 h ago"
        ),
        "recent": _options(
            "spells of breathlessness since yesterday | SOB spells over the last day | "
            "attacks of breathlessness since last night | episodic dyspnoea in the past 24 h | "
            "breathless spells today and last night | dyspnea spells, latest this morning"
        ),
    },
}

_SECTION_FINDINGS = {
    "hpi": _options(
        "fever | productive_cough | orthopnoea | pleuritic_pain | calf_pain | sudden_onset | haemoptysis | "
        "rigors | urinary_symptoms | weight_loss | breathless_spells"
    ),
    "exam": _options("leg_swelling | wheeze | confusion | reduced_air_entry | dull_percussion | rib_tenderness"),
    "pmh": _options(
        "smoking | cardiac_history | recent_surgery | malignancy | diabetes | chronic_kidney_disease | "
        "chronic_lung_disease"
    ),
}
SECTIONS = {finding: section for section, findings in _SECTION_FINDINGS.items() for finding in findings}
"""Finding -> the section that speaks of it."""

Cues = dict[tuple[str, str], tuple[str, ...]]
"""(section, status) -> sentences; `_` is the phrase."""

PROSE: Cues = {
    ("hpi", "asserted"): _options(
        "Reports _. | {He} reports _. | Endorses _. | Has had _ for {days} days. | {He} describes _. | Notes _. | "
        "Pt c/o _. | There has been _. | Came in with _."
    ),
    ("hpi", "negated"): _options(
        "Denies _. | {He} denies _. | No _. | Without _. | Negative for _. | Has not had _. | There was no _."
    ),
    ("hpi", "uncertain"): _options(
        "Possible _. | {He} is unsure about _. | Questionable _. | Maybe _, history unclear. | ? _. | "
        "Family suspects _. | May have had _."
    ),
    ("exam", "asserted"): _options(
        "_ present. | _ noted. | Exam shows _. | _ on exam. | + _. | Clear _. | There is _. | {He} has _."
    ),
    ("exam", "negated"): _options("No _. | Without _. | _ absent. | No evidence of _. | Negative for _. | (-) _."),
    ("exam", "uncertain"): _options(
        "Possible _. | Equivocal _. | ? _. | Perhaps slight _. | _ hard to judge. | Questionable _."
    ),
    ("pmh", "asserted"): _options("_. | Hx: _. | Known for _. | _ documented. | - _. | Significant for _."),
    ("pmh", "negated"): _options("No _. | Denies _. | Never had _. | Negative for _. | No history of _. | No h/o _."),
    ("pmh", "uncertain"): _options(
        "Possible _. | Unclear history of _. | ? _. | Told of _ once, no records. | Maybe _. | Questionable _."
    ),
}

_TELEGRAPHIC = {
    "asserted": _options("+_. | + _. | _+. | _. | pos _. | _ ++."),
    "negated": _options("no _. | (-) _. | neg for _. | w/o _. | nil _."),
    "uncertain": _options("?_. | ? _. | poss _. | _ ?. | _ unclear."),
}
_TEMPLATE = {
    "asserted": _options("_: yes. | _: present. | _ - YES. | [x] _. | _: positive."),
    "negated": _options("_: no. | _ - NO. | _: absent. | _: nil. | _: not present."),
    "uncertain": _options("_: unclear. | _ (?). | _ - cannot say. | _: to be clarified. | _: possibly."),
}


def _everywhere(cues: dict[str, tuple[str, ...]]) -> Cues:
    return {(section, status): options for section in _SECTION_FINDINGS for status, options in cues.items()}


CUES: dict[str, Cues] = {
    "prose": PROSE, "telegraphic": _everywhere(_TELEGRAPHIC), "template": _everywhere(_TEMPLATE)
}  # fmt: skip
"""Form of a statement -> its cues."""

LISTS: dict[str, Cues] = {
    "prose": {
        ("hpi", "asserted"): _options("Reports _. | {He} reports _. | Endorses _. | Presents with _."),
        ("hpi", "negated"): _options("Denies _. | {He} denies _. | No _. | Negative for _. | No complaint of _."),
        ("exam", "asserted"): _options("Exam shows _. | There is _. | Notable for _."),
        ("exam", "negated"): _options("No _. | No evidence of _. | Negative for _. | Without _."),
        ("pmh", "asserted"): _options("_. | PMH of _. | Known for _. | Significant for _."),
        ("pmh", "negated"): _options("No history of _. | No h/o _. | No known _. | Denies _."),
    },
    "telegraphic": _everywhere(
        {"asserted": _options("+ _. | +ve: _. | _."), "negated": _options("no _. | (-) _. | neg: _.")}
    ),
    "template": _everywhere(
        {
            "asserted": _options("Yes: _. | Ticked: _. | Positive: _."),
            "negated": _options("No: _. | Negative: _. | Absent: _."),
        }
    ),
}
"""Form -> cues that several phrases share. Uncertain findings stand alone."""
JOINTS: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "prose": {
        "asserted": ((", ", " and "), (", ", ", and ")),
        "negated": ((", ", " or "), (", ", ", or "), (", ", " and ")),
    },
    "telegraphic": {"asserted": ((", ", ", "), ("; ", "; "), (" + ", " + ")), "negated": (("/", "/"), (", ", ", "))},
    "template": {"asserted": (("; ", "; "), (", ", ", ")), "negated": (("; ", "; "), (", ", ", "))},
}
"""Form -> status -> (what stands between phrases, what before the last)."""
UNREMARKABLE: dict[str, tuple[str, ...]] = {
    "hpi": _options(
        "headache | rash | sore throat | diarrhoea | visual change | earache | back pain | nausea | dizziness"
    ),
    "exam": _options("jaundice | clubbing | lymphadenopathy | neck stiffness | rash | focal weakness | pallor"),
    "pmh": _options("stroke | epilepsy | peptic ulcer | liver disease | bleeding disorder | rheumatoid arthritis"),
}
"""Section -> what patients do not have besides; no findings of the ward."""

HEADINGS: dict[str, dict[str, str]] = {
    "capitals": {
        "cc": "CHIEF COMPLAINT", "hpi": "HISTORY OF PRESENT ILLNESS", "pmh": "PAST MEDICAL HISTORY",
        "family": "FAMILY HISTORY", "medications": "MEDICATIONS", "exam": "PHYSICAL EXAM",
        "assessment": "ASSESSMENT AND PLAN",
    },
    "short": {
        "cc": "CC", "hpi": "HPI", "pmh": "PMH", "family": "FHx", "medications": "Meds", "exam": "O/E",
        "assessment": "A/P",
    },
    "plain": {
        "cc": "Presenting complaint", "hpi": "History", "pmh": "Background", "family": "Family history",
        "medications": "Drug history", "exam": "Examination", "assessment": "Impression and plan",
    },
    "soap": {
        "cc": "C/O", "hpi": "S", "pmh": "Bg", "family": "Fam", "medications": "Rx", "exam": "O", "assessment": "A/P",
    },
    "form": {
        "cc": "Reason for attendance", "hpi": "Symptoms reported", "pmh": "Long-term conditions",
        "family": "Illness in relatives", "medications": "Current treatment", "exam": "Findings on examination",
        "assessment": "Opinion and actions",
    },
    "bracketed": {
        "cc": "[COMPLAINT]", "hpi": "[NARRATIVE]", "pmh": "[COMORBIDITY]", "family": "[KIN]", "medications": "[DRUGS]",
        "exam": "[EXAMINER]", "assessment": "[CONCLUSION]",
    },
    "none": {},
}  # fmt: skip
"""Key -> section -> what stands above it."""
ABBREVIATIONS = {
    "shortness of breath": "SOB", "chest pain": "CP", "history of": "h/o", "history": "hx", "patient": "pt",
    "without": "w/o", "with": "w/", "symptoms": "sx", "bilateral": "b/l", "unilateral": "u/l",
    "left-sided": "L-sided", "right-sided": "R-sided", "weeks": "wks", "months": "mo", "years": "yrs", "days": "d",
    "hours": "h", "negative for": "neg for", "possible": "poss", "decreased": "dec.", "diminished": "dim.",
    "reduced": "↓", "increased": "↑", "temperature": "temp", "examination": "exam", "evidence of": "e/o",
    "operation": "op", "surgery": "surg", "weight": "wt", "breath sounds": "BS", "coronary artery disease": "CAD",
    "chronic kidney disease": "CKD", "altered mental status": "AMS",
}  # fmt: skip
"""Long form -> short form, of cues, phrases and all else."""

OF_WOMEN = frozenset({"hx of ovarian cancer"})
"""Phrases that are not said of men."""

FORBIDDEN = _options(
    "pneumonia | pneumonic | heart failure | chf | pulmonary edema | pulmonary oedema | pneumothorax | ptx | "
    "effusion | copd | exacerbation | embolism | embolus | sepsis | septic | no acute disease | "
    "no abnormality"
)
"""Names of the labels and their usual short forms: a note that says one gives the answer away."""
