"""How clinicians write each finding: paraphrases with abbreviations, for the styles a note may have.

A phrase is the span that explanations should find. Asserted, uncertain and negated statements are built from `CUES` around it, so
every phrase reads as a noun ("fevers to 38.9"). No phrase may name a diagnosis of `shared.codes.DIAGNOSES` (tested).
"""

from __future__ import annotations

PHRASES: dict[str, tuple[str, ...]] = {
    "fever": (
        "fever", "fevers", "febrile illness at home", "temp to 38.9 at home", "high temperatures", "pyrexia", "feverish feeling",
        "T max 39 per family",
    ),
    "productive_cough": (
        "productive cough", "cough with green sputum", "cough w/ purulent sputum", "yellow phlegm", "thick sputum production",
        "wet cough bringing up phlegm", "prod. cough", "increased sputum volume",
    ),
    "orthopnoea": (
        "orthopnea", "orthopnoea", "three-pillow orthopnea", "needing to sleep upright", "PND", "waking up gasping when flat",
        "inability to lie flat", "breathlessness lying flat",
    ),
    "pleuritic_pain": (
        "pleuritic chest pain", "pleuritic CP", "sharp chest pain worse on deep breath", "pain on inspiration",
        "stabbing pain with breathing", "CP that is worse w/ inspiration", "catching pain on deep inspiration",
    ),
    "leg_swelling": (
        "leg swelling", "bilateral leg swelling", "ankle oedema", "LE edema", "pitting edema to the knees", "swollen ankles",
        "BLE edema 2+", "puffy legs",
    ),
    "calf_pain": (
        "calf pain", "unilateral calf swelling", "calf tenderness", "a sore swollen calf", "pain in one calf", "one-sided calf cramp",
        "R>L calf asymmetry",
    ),
    "wheeze": (
        "wheeze", "wheezing", "expiratory wheeze", "diffuse exp. wheezes", "whistling breathing", "audible wheeze",
        "wheezy chest", "polyphonic wheeze",
    ),
    "sudden_onset": (
        "sudden onset", "abrupt onset of symptoms", "symptoms that began within seconds", "acute onset while walking",
        "onset out of the blue", "sx that came on suddenly", "instantaneous onset",
    ),
    "haemoptysis": (
        "hemoptysis", "haemoptysis", "blood-streaked sputum", "coughing up blood", "bloody sputum", "specks of blood in the sputum",
        "rusty blood on coughing",
    ),
    "rigors": (
        "rigors", "shaking chills", "rigours", "teeth-chattering chills", "uncontrollable shivering", "shakes and chills",
        "chills w/ rigors",
    ),
    "confusion": (
        "confusion", "new confusion", "AMS", "altered mental status", "disorientation", "acute confusion per family",
        "muddled thinking", "drowsiness and disorientation",
    ),
    "urinary_symptoms": (
        "dysuria", "burning on urination", "urinary frequency and dysuria", "flank pain with dysuria", "foul-smelling urine",
        "cloudy urine", "LUTS w/ dysuria", "suprapubic pain and frequency",
    ),
    "weight_loss": (
        "weight loss", "unintentional weight loss", "wt loss of 6 kg", "loss of weight over months", "unplanned wt loss",
        "dropping several kilos", "clothes becoming loose from weight loss",
    ),
    "reduced_air_entry": (
        "reduced air entry", "decreased breath sounds", "diminished BS on one side", "dec. BS unilaterally", "quiet breath sounds",
        "poor air entry", "absent breath sounds over one lung",
    ),
    "dull_percussion": (
        "dullness to percussion", "dull percussion note", "stony dullness", "basal dullness", "dull to perc.", "dull base",
        "percussion dullness",
    ),
    "smoking": (
        "40 pack-year smoking history", "active smoking", "tobacco use", "heavy smoking", "smoking (30 pk-yrs)", "current smoker status",
        "1 ppd tobacco habit", "long smoking history",
    ),
    "cardiac_history": (
        "prior MI", "CAD s/p CABG", "ischaemic cardiomyopathy", "EF 35% on last echo", "coronary artery disease", "previous heart attack",
        "dilated cardiomyopathy", "LV dysfunction",
    ),
    "recent_surgery": (
        "recent surgery", "knee replacement 2 wks ago", "hip arthroplasty last month", "recent abdominal operation",
        "s/p ORIF 10 days ago", "surgery three weeks ago", "recent prolonged immobilisation after surgery",
    ),
    "malignancy": (
        "known malignancy", "breast ca", "lymphoma", "metastatic colon cancer", "active cancer on chemo", "hx of ovarian cancer",
        "ongoing oncology treatment",
    ),
}  # fmt: skip

PAIR_PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "rib_tenderness": {
        side: (
            f"tender over the {side} lower ribs", f"{side}-sided rib tenderness", f"soreness at the {side} costal margin",
            f"{short} lower chest wall TTP", f"{side} lower rib soreness", f"TTP {side} lateral ribs",
            f"point tenderness of the {side} ribs",
        )
        for side, short in (("left", "L"), ("right", "R"))
    },
    "breathless_spells": {
        "earlier": (
            "spells of breathlessness two to three days ago", "SOB spells 2-3 days back, calmer since",
            "attacks of breathlessness three days ago", "episodic dyspnoea that settled two days ago",
            "breathless spells early on, none since the day before yesterday", "dyspnea spells ~60 h ago",
        ),
        "recent": (
            "spells of breathlessness since yesterday", "SOB spells over the last day", "attacks of breathlessness since last night",
            "episodic dyspnoea in the past 24 h", "breathless spells today and last night", "dyspnea spells, latest this morning",
        ),
    },
}  # fmt: skip

SECTIONS: dict[str, str] = {
    "fever": "hpi", "productive_cough": "hpi", "orthopnoea": "hpi", "pleuritic_pain": "hpi", "calf_pain": "hpi",
    "sudden_onset": "hpi", "haemoptysis": "hpi", "rigors": "hpi", "urinary_symptoms": "hpi", "weight_loss": "hpi",
    "breathless_spells": "hpi", "leg_swelling": "exam", "wheeze": "exam", "confusion": "exam", "reduced_air_entry": "exam",
    "dull_percussion": "exam", "rib_tenderness": "exam", "smoking": "pmh", "cardiac_history": "pmh", "recent_surgery": "pmh",
    "malignancy": "pmh",
}  # fmt: skip

CUES: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    # (section, status) -> (before, after) the phrase
    ("hpi", "asserted"): (
        ("Reports ", "."), ("Endorses ", "."), ("Has had ", " for {days} days."), ("Describes ", "."), ("Notes ", "."), ("+", "."),
        ("Pt c/o ", "."), ("There has been ", "."),
    ),
    ("hpi", "negated"): (
        ("Denies ", "."), ("No ", "."), ("Without ", "."), ("Negative for ", "."), ("(-) ", "."), ("Has not had ", "."),
        ("There was no ", "."),
    ),
    ("hpi", "uncertain"): (
        ("Possible ", "."), ("Unsure about ", "."), ("Questionable ", "."), ("Maybe ", ", history unclear."), ("? ", "."),
        ("Family suspects ", "."),
    ),
    ("exam", "asserted"): (
        ("", " present."), ("", " noted."), ("Exam shows ", "."), ("", " on exam."), ("+ ", "."), ("Clear ", "."), ("There is ", "."),
    ),
    ("exam", "negated"): (
        ("No ", "."), ("Without ", "."), ("", " absent."), ("No evidence of ", "."), ("Negative for ", "."), ("(-) ", "."),
    ),
    ("exam", "uncertain"): (
        ("Possible ", "."), ("Equivocal ", "."), ("? ", "."), ("Perhaps slight ", "."), ("", " hard to judge."), ("Questionable ", "."),
    ),
    ("pmh", "asserted"): (("", "."), ("Hx: ", "."), ("Known for ", "."), ("", " documented."), ("- ", "."), ("Significant for ", ".")),
    ("pmh", "negated"): (
        ("No ", "."), ("Denies ", "."), ("Never had ", "."), ("Negative for ", "."), ("No history of ", "."), ("No h/o ", "."),
    ),
    ("pmh", "uncertain"): (
        ("Possible ", "."), ("Unclear history of ", "."), ("? ", "."), ("Told of ", " once, no records."), ("Maybe ", "."),
        ("Questionable ", "."),
    ),
}  # fmt: skip

HEADINGS: tuple[dict[str, str], ...] = (
    {
        "cc": "CHIEF COMPLAINT", "hpi": "HISTORY OF PRESENT ILLNESS", "pmh": "PAST MEDICAL HISTORY", "family": "FAMILY HISTORY",
        "medications": "MEDICATIONS", "exam": "PHYSICAL EXAM", "assessment": "ASSESSMENT AND PLAN",
    },
    {
        "cc": "CC", "hpi": "HPI", "pmh": "PMH", "family": "FHx", "medications": "Meds", "exam": "O/E", "assessment": "A/P",
    },
    {
        "cc": "Presenting complaint", "hpi": "History", "pmh": "Background", "family": "Family history", "medications": "Drug history",
        "exam": "Examination", "assessment": "Impression and plan",
    },
)  # fmt: skip

COMPLAINTS = (
    "shortness of breath", "SOB", "chest discomfort", "feeling unwell", "dyspnea", "breathlessness", "not feeling right", "malaise",
    "CP and SOB", "generally unwell",
)  # fmt: skip
OPENINGS = (
    "{age} {sex} brought in with {complaint} for {days} days.",
    "This is a {age}-year-old {person} who presents to the ED with {complaint}.",
    "{age}yo {sex} p/w {complaint} x {days}d.",
    "A {age} year old {person} was referred by the GP for {complaint}.",
    "Pt is a {age} y/o {person}, {complaint} over {days} days.",
    "{person} aged {age}, seen in resus for {complaint}.",
)
FILLERS = (
    "Lives with spouse.", "Lives alone on the second floor.", "Independent in ADLs.", "No recent travel.", "Ate little today.",
    "Sleep was poor.", "Took paracetamol without much effect.", "Appetite fair.", "Retired teacher.", "Vaccinations up to date.",
    "Has a cat.", "Came by ambulance.", "Seen last week by the GP.", "Allergies: NKDA.", "Works in an office.",
)  # fmt: skip
BACKGROUND = (
    "HTN.", "Hypertension.", "T2DM.", "Diabetes mellitus type 2.", "Hypothyroidism.", "GERD.", "Hyperlipidaemia.", "OA of both knees.",
    "s/p cholecystectomy 1998.", "Gout.", "BPH.", "Migraine.", "CKD stage 2.", "Osteoporosis.",
)  # fmt: skip
RELATIVES = ("Father", "Mother", "Brother", "Sister", "Maternal uncle", "Grandmother")
FAMILY_DISEASES = (
    "had clots in the legs", "MI at 58", "smoked heavily", "wheezed all her life", "died of a malignancy", "had high BP",
    "coughed blood with TB in the 60s", "type 2 diabetes", "had fluid on the legs in old age", "had fevers of unknown origin",
)  # fmt: skip
MEDICATIONS = (
    "lisinopril 10 mg daily", "amlodipine 5 mg", "metformin 500 mg BID", "atorvastatin 20 mg qHS", "levothyroxine 75 mcg",
    "omeprazole 20 mg", "paracetamol PRN", "vitamin D", "aspirin 81 mg", "ibuprofen prn", "allopurinol 100 mg", "sertraline 50 mg",
)  # fmt: skip
EXAM_FILLERS = (
    "Alert.", "Looks tired.", "Sitting up in bed.", "Abdomen soft, NT.", "Heart sounds normal.", "JVP not assessed.", "Skin warm.",
    "Speaks in sentences.", "Mucous membranes moist.", "Pupils equal.", "Obese.", "Thin build.",
)  # fmt: skip
PLANS = (
    "Acute chest symptoms, cause to be determined. CXR, bloods, monitor.",
    "Ddx broad. Await imaging and labs, wearable data to be reviewed.",
    "Work-up in progress: CXR, ECG, CBC, CMP, lactate, troponin. Reassess in 2 h.",
    "Undifferentiated presentation. Discuss with senior after imaging.",
    "Plan: O2 as needed, IV access, bloods, film. Will follow up.",
    "Further investigation required before a label is given.",
    "Obs, bloods, CXR. Review w/ results.",
)

FORBIDDEN = (
    "pneumonia", "pneumonic", "heart failure", "chf", "pulmonary edema", "pulmonary oedema", "pneumothorax", "ptx", "effusion",
    "copd", "exacerbation", "embolism", "embolus", "sepsis", "septic", "no acute disease", "no abnormality",
)  # fmt: skip
"""Names of the labels and their usual short forms: a note that says one gives the answer away."""
