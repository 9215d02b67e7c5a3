"""What else stands in notes: openings, trivia, relatives, the past, plans, copied blocks, signatures.

None of it says anything of the patient's findings or diagnosis. Words of findings do occur, of others, of long ago, of
what may come: telling these from the patient's own is a part of reading notes.
"""

from __future__ import annotations


def _options(text: str) -> tuple[str, ...]:
    return tuple(option.strip() for option in text.split("|"))


def _groups(text: str) -> tuple[tuple[str, ...], ...]:
    """Lines; of the alternatives in one line a note holds one at most, because they exclude one another."""
    return tuple(_options(line) for line in text.strip().splitlines())


COMPLAINTS = _options(
    "shortness of breath | SOB | chest discomfort | feeling unwell | dyspnea | breathlessness | "
    "general weakness | malaise | CP and SOB | generally unwell"
)
OPENINGS: dict[str, tuple[str, ...]] = {
    "prose": _options(
        "{age} {sex} brought in with {complaint} for {days} days. | "
        "This is a {age}-year-old {person} who presents to the ED with {complaint}. | "
        "{A} {age} year old {person} was referred by the GP for {complaint}. | "
        "Pt is a {age} y/o {person}, {complaint} over {days} days. | "
        "{Person} aged {age}, seen in resus for {complaint}. | "
        "{Title} ___ is a {age} year old {person} with {days} days of {complaint}."
    ),
    "telegraphic": _options(
        "{age}{sex} {complaint} x{days}d. | {age}yo {sex} p/w {complaint} x {days}d. | {age} {sex}, {complaint}. | "
        "{sex} {age}, c/o {complaint}."
    ),
    "template": _options(
        "Age/sex: {age} {sex}. Presents because of: {complaint} ({days} d). | "
        "Sex {sex}, age {age}, {complaint} since {days} days."
    ),
}
FILLERS = _groups("""
    Lives with spouse. | Lives alone on the second floor. | Lives with {his} daughter. | Nursing home resident.
    Independent in ADLs. | Needs some help with shopping. | Walks with a stick.
    No recent travel. | Back from a bus tour last month.
    Ate little today. | Appetite fair. | Ate and drank as usual.
    Sleep was poor. | {He} slept in an armchair at {his} sister's over the weekend.
    Took paracetamol without much effect. | {He} took {his} usual tablets this morning.
    Retired teacher. | Works in an office. | Retired bus driver. | Works nights in a bakery.
    Vaccinations up to date. | Flu jab last autumn.
    Has a cat. | Keeps two dogs. | No pets.
    Came by ambulance. | Brought by a neighbour. | Walked in.
    Seen last week by the GP. | Last seen here two years ago.
    Allergies: NKDA. | Allergic to penicillin (rash as a child).
    {He} is worried about missing {his} grandson's wedding. | {He} asks when {he} can go home.
    History from the patient and {his} family. | History limited by language, interpreter used.
""")
BACKGROUND = _groups("""
    HTN. | Hypertension. | High BP, on one tablet.
    Hypothyroidism. | Underactive thyroid.
    GERD. | Reflux.
    Hyperlipidaemia. | High cholesterol.
    OA of both knees. | OA of the hips.
    s/p cholecystectomy 1998. | Appendicectomy as a child. | Tonsillectomy 1971.
    Gout.
    Migraine.
    Osteoporosis. | Osteopenia.
    Glaucoma. | Cataracts, both done.
    Psoriasis. | Eczema.
""")
OF_MEN = _groups("""
    BPH.
    Inguinal hernia repair 2003.
""")
OF_WOMEN = _groups("""
    Two uncomplicated pregnancies. | G3P3.
    Hysterectomy 2001.
""")
EXAM_FILLERS = _groups("""
    Looks tired. | Comfortable at rest. | Sitting up in bed.
    Abdomen soft, NT. | Abdomen soft, bowel sounds normal.
    Heart sounds normal. | S1 S2, no added sounds.
    JVP not assessed.
    Skin warm. | Skin intact.
    Speaks in sentences.
    Mucous membranes moist. | Tongue a little dry.
    Pupils equal. | PERRL.
    Obese. | Thin build. | Normal build.
    Moves all limbs.
""")
FLOWSHEET = _options(
    "Vitals: see flowsheet. | VS per monitor. | Obs: see chart. | Vital signs as charted. | "
    "Obs on wearable, see trend. | Vitals reviewed."
)
MEDICATIONS = _options(
    "lisinopril 10 mg daily | amlodipine 5 mg | cetirizine 10 mg | atorvastatin 20 mg qHS | "
    "levothyroxine 75 mcg | omeprazole 20 mg | paracetamol PRN | vitamin D | aspirin 81 mg | ibuprofen prn | "
    "allopurinol 100 mg | sertraline 50 mg"
)
RELATIVES = _options("Father | Mother | Brother | Sister | Maternal uncle | Grandmother")
FAMILY_DISEASES = _options(
    "had clots in the legs | MI at 58 | smoked heavily | wheezing since childhood | died of a malignancy | "
    "had high BP | haemoptysis with TB in the 60s | type 2 diabetes | leg swelling in old age | "
    "fever of unknown origin | breast ca | coronary artery disease | lymphoma | active smoking | chronic bronchitis | "
    "unintentional weight loss before a diagnosis of celiac disease | confusion in later years | CKD stage 3"
)
FAMILY_NOTHING = _options("Non-contributory. | Nil of note. | Not known, adopted.")
PAST = _options(
    "Had {finding} in {year}, settled by itself. | Remote episode of {finding} ({year}), resolved. | "
    "Seen in {year} for {finding}, nothing found, none since. | {finding} years ago, long gone. | "
    "Once admitted with {finding} in {year}, fully recovered."
)
PAST_FINDINGS = _options(
    "fever | productive cough | pleuritic chest pain | leg swelling | calf pain | wheeze | hemoptysis | rigors | "
    "dysuria | weight loss | new confusion | flank pain with dysuria | ankle oedema | shaking chills"
)
CAUTIONS = _options(
    "Return if {finding}. | Call at once for {finding}. | To come back in case of {finding} or worse breathing. | "
    "Nursing to watch for {finding}. | Safety-netted: {finding} means come back. | "
    "If {finding} develops, call the team. | Will recheck tomorrow for {finding}."
)
CAUTION_FINDINGS = _options(
    "fever | rigors | hemoptysis | confusion | leg swelling | calf pain | pleuritic chest pain | wheeze | "
    "blood-streaked sputum | disorientation | shaking chills | burning on urination"
)
PLANS = _options(
    "Acute chest symptoms, cause to be determined. CXR, bloods, monitor. | "
    "Ddx broad. Await imaging and labs, wearable data to be reviewed. | "
    "Work-up in progress: CXR, ECG, CBC, CMP, lactate, troponin. Reassess in 2 h. | "
    "Undifferentiated presentation. Discuss with senior after imaging. | "
    "Plan: O2 as needed, IV access, bloods, film. Will follow up. | "
    "Further investigation required before a label is given. | Obs, bloods, CXR. Review w/ results."
)
SHORT_PLANS = _options("CXR, bloods, r/v. | Film + labs. | CXR/ECG/bloods. | Labs, CXR, d/w senior. | For imaging.")
COPIED_HEADS = _options(
    "--- copied from previous note --- | [Copied forward from ED triage note] | >>> CARRIED FORWARD | "
    "Previous entry (auto-populated): | ** text below brought forward, not edited **"
)
COPIED_ENDS = _options("--- end of copied text --- | [end] | <<< | ")
STALE = _options(
    "Awaiting bed on the ward. | Seen by the night team. | Bloods sent, results pending. | Cannula in left arm. | "
    "Plan unchanged. | Family to be called in the morning. | Old films requested. | Diet as tolerated. | "
    "Reviewed, continue as before. | Belongings with security. | Code status discussed: full. | "
    "Pharmacy to reconcile medicines. | Fluid chart started."
)
TITLES = {
    "34117-2": _options("HISTORY AND PHYSICAL | Admission note | H&P"),
    "11506-3": _options("Progress note | PROGRESS NOTE | Ward round entry"),
    "51847-2": _options("Assessment and plan | ED clerking | A&P note"),
}
"""LOINC code of the type of note -> what may stand at its top."""
DATES = _options(
    "Date: ___  Time: {hour:02d}:{minute:02d} | ___ {hour:02d}{minute:02d}h | Hospital day 1 | Date of service: ___"
)
"""Without a date, as in de-identified notes: the calendar is no part of a patient."""
SIGNATURES = _options(
    "Signed: ___, MD | Dr. J. Okafor, SHO, bleep 4417 | Electronically signed by ___ MD, PGY-2 | R. Lindqvist, ANP | "
    "Seen with Dr. ___ | ___ MD, attending to addend | F. Moreau, registrar"
)
