"""How clinicians write each finding: paraphrases with abbreviations, for the styles a note may have.

A phrase is the span that explanations should find. Asserted, uncertain and negated statements are built from `CUES`
around it, so every phrase reads as a noun. No phrase may name a diagnosis of `shared.codes.DIAGNOSES` (tested).
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

CUES: dict[tuple[str, str], tuple[str, ...]] = {
    # (section, status) -> sentences; `_` is the phrase
    ("hpi", "asserted"): _options(
        "Reports _. | Endorses _. | Has had _ for {days} days. | Describes _. | Notes _. | +_. | Pt c/o _. | "
        "There has been _."
    ),
    ("hpi", "negated"): _options(
        "Denies _. | No _. | Without _. | Negative for _. | (-) _. | Has not had _. | There was no _."
    ),
    ("hpi", "uncertain"): _options(
        "Possible _. | Unsure about _. | Questionable _. | Maybe _, history unclear. | ? _. | Family suspects _."
    ),
    ("exam", "asserted"): _options(
        "_ present. | _ noted. | Exam shows _. | _ on exam. | + _. | Clear _. | There is _."
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

HEADINGS: tuple[dict[str, str], ...] = (
    {
        "cc": "CHIEF COMPLAINT",
        "hpi": "HISTORY OF PRESENT ILLNESS",
        "pmh": "PAST MEDICAL HISTORY",
        "family": "FAMILY HISTORY",
        "medications": "MEDICATIONS",
        "exam": "PHYSICAL EXAM",
        "assessment": "ASSESSMENT AND PLAN",
    },
    {
        "cc": "CC",
        "hpi": "HPI",
        "pmh": "PMH",
        "family": "FHx",
        "medications": "Meds",
        "exam": "O/E",
        "assessment": "A/P",
    },
    {
        "cc": "Presenting complaint",
        "hpi": "History",
        "pmh": "Background",
        "family": "Family history",
        "medications": "Drug history",
        "exam": "Examination",
        "assessment": "Impression and plan",
    },
)

COMPLAINTS = _options(
    "shortness of breath | SOB | chest discomfort | feeling unwell | dyspnea | breathlessness | "
    "not feeling right | malaise | CP and SOB | generally unwell"
)
OPENINGS = _options(
    "{age} {sex} brought in with {complaint} for {days} days. | "
    "This is a {age}-year-old {person} who presents to the ED with {complaint}. | "
    "{age}yo {sex} p/w {complaint} x {days}d. | "
    "A {age} year old {person} was referred by the GP for {complaint}. | "
    "Pt is a {age} y/o {person}, {complaint} over {days} days. | "
    "{person} aged {age}, seen in resus for {complaint}."
)
FILLERS = _options(
    "Lives with spouse. | Lives alone on the second floor. | Independent in ADLs. | No recent travel. | "
    "Ate little today. | Sleep was poor. | Took paracetamol without much effect. | Appetite fair. | "
    "Retired teacher. | Vaccinations up to date. | Has a cat. | Came by ambulance. | "
    "Seen last week by the GP. | Allergies: NKDA. | Works in an office."
)
BACKGROUND = _options(
    "HTN. | Hypertension. | Hypothyroidism. | GERD. | Hyperlipidaemia. | OA of both knees. | "
    "s/p cholecystectomy 1998. | Gout. | BPH. | Migraine. | Osteoporosis. | Glaucoma. | Psoriasis."
)
RELATIVES = _options("Father | Mother | Brother | Sister | Maternal uncle | Grandmother")
FAMILY_DISEASES = _options(
    "had clots in the legs | MI at 58 | smoked heavily | wheezed all her life | died of a malignancy | "
    "had high BP | coughed blood with TB in the 60s | type 2 diabetes | had fluid on the legs in old age | "
    "had fevers of unknown origin"
)
MEDICATIONS = _options(
    "lisinopril 10 mg daily | amlodipine 5 mg | cetirizine 10 mg | atorvastatin 20 mg qHS | "
    "levothyroxine 75 mcg | omeprazole 20 mg | paracetamol PRN | vitamin D | aspirin 81 mg | ibuprofen prn | "
    "allopurinol 100 mg | sertraline 50 mg"
)
EXAM_FILLERS = _options(
    "Alert. | Looks tired. | Sitting up in bed. | Abdomen soft, NT. | Heart sounds normal. | "
    "JVP not assessed. | Skin warm. | Speaks in sentences. | Mucous membranes moist. | Pupils equal. | Obese. "
    "| Thin build."
)
PLANS = _options(
    "Acute chest symptoms, cause to be determined. CXR, bloods, monitor. | "
    "Ddx broad. Await imaging and labs, wearable data to be reviewed. | "
    "Work-up in progress: CXR, ECG, CBC, CMP, lactate, troponin. Reassess in 2 h. | "
    "Undifferentiated presentation. Discuss with senior after imaging. | "
    "Plan: O2 as needed, IV access, bloods, film. Will follow up. | "
    "Further investigation required before a label is given. | Obs, bloods, CXR. Review w/ results."
)
FORBIDDEN = _options(
    "pneumonia | pneumonic | heart failure | chf | pulmonary edema | pulmonary oedema | pneumothorax | ptx | "
    "effusion | copd | exacerbation | embolism | embolus | sepsis | septic | no acute disease | "
    "no abnormality"
)
"""Names of the labels and their usual short forms: a note that says one gives the answer away."""
