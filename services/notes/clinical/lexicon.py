"""The findings that are looked for: what speaks for or against an acute illness of the chest, and common company."""

from __future__ import annotations

import re

FINDINGS: dict[str, str] = {
    "cough": r"(?:(?:dry|productive|non-?productive) )?cough(?:ing)?",
    "sputum": r"sputum(?: production)?|phlegm|expectoration",
    "haemoptysis": r"ha?emoptysis|coughing up blood",
    "fever": r"fevers?|febrile|pyrexia",
    "chills": r"chills?|rigors?",
    "night sweats": r"night sweats?",
    "diaphoresis": r"diaphor(?:esis|etic)|sweating",
    "dyspnoea": r"(?:exertional )?dyspno?ea(?: on exertion)?|shortness of breath|short of breath|breathless(?:ness)?|"
    r"sob|"
    r"doe|difficulty breathing",
    "orthopnoea": r"orthopno?ea",
    "paroxysmal nocturnal dyspnoea": r"paroxysmal nocturnal dyspno?ea|pnd",
    "wheeze": r"wheez(?:e|es|ing|y)",
    "stridor": r"stridor",
    "chest pain": r"(?:(?:pleuritic|substernal|retrosternal|central|exertional|left-sided|right-sided) ){0,3}chest"
    r" (?:pains?|tightness|pressure|discomfort)|pleuritic pain|cp|angina(?: pectoris)?",
    "palpitations": r"palpitations?",
    "syncope": r"(?:pre-?)?syncope|syncopal(?: episodes?)?|fainted|blackouts?",
    "oedema": r"(?:(?:peripheral|pedal|pitting|leg|ankle|lower extremity) ){0,3}(?:o?edema|swelling)",
    "leg pain": r"(?:calf|leg) (?:pain|tenderness)",
    "fatigue": r"fatigue|tiredness|malaise",
    "weight loss": r"weight loss",
    "nausea": r"nausea(?:ted)?",
    "vomiting": r"vomit(?:ing|ed)?|emesis",
    "diarrhoea": r"diarrho?ea",
    "abdominal pain": r"abdominal pain",
    "headache": r"headaches?",
    "dizziness": r"dizz(?:iness|y)|light-?headed(?:ness)?",
    "confusion": r"confus(?:ion|ed)|delirium|altered mental status",
    "weakness": r"weakness",
    "numbness": r"numbness|par(?:a)?esthesias?|tingling",
    "sore throat": r"sore throat|odynophagia",
    "rash": r"rash(?:es)?",
    "cyanosis": r"cyanosis|cyanotic",
    "clubbing": r"clubbing",
    "tachycardia": r"tachycardi[ac]",
    "tachypnoea": r"tachypn(?:o?ea|o?eic)",
    "hypotension": r"hypotens(?:ion|ive)",
    "hypoxia": r"hypoxi[ac]|hypoxa?emi[ac]|desaturat(?:ion|ed|ing)",
    "crackles": r"(?:(?:bibasal|basal|bibasilar|basilar|fine|coarse) ){0,3}(?:crackles|rales|crepitations?|creps)",
    "rhonchi": r"rhonchi",
    "heart murmur": r"(?:(?:systolic|diastolic|ejection|heart) ){0,3}murmurs?",
    "jugular venous distension": r"jugular venous distension|jvd|raised jvp|elevated jvp",
    "consolidation": r"(?:(?:airspace|alveolar|focal|lobar) ){0,3}(?:consolidations?|air-?space (?:disease|"
    r"opacit(?:y|ies)))",
    "opacity": r"(?:(?:patchy|focal|ground-?glass|hazy|bibasilar|interstitial) ){0,3}(?:opacit(?:y|ies)|"
    r"opacifications?)",
    "infiltrate": r"(?:(?:pulmonary|patchy|focal) ){0,3}infiltrates?",
    "pleural effusion": r"(?:(?:small|large|moderate|bilateral|left|right|pleural) ){0,3}effusions?",
    "pneumothorax": r"(?:tension )?pneumothora(?:x|ces)",
    "atelectasis": r"(?:(?:bibasilar|basilar|subsegmental|discoid) ){0,3}atelectasis",
    "cardiomegaly": r"cardiomegaly|enlarged (?:heart|cardiac silhouette)|cardiac enlargement",
    "pulmonary oedema": r"pulmonary o?edema|(?:pulmonary )?vascular congestion|interstitial o?edema",
    "pulmonary nodule": r"(?:(?:pulmonary|lung) ){0,3}(?:nodules?|mass(?:es)?)",
    "emphysema": r"emphysem(?:a|atous)(?: changes?)?",
    "fracture": r"(?:rib )?fractures?",
    "pericardial effusion": r"pericardial effusions?",
    "pneumonia": r"(?:(?:community-acquired|aspiration|lobar|bacterial|viral) ){0,3}pneumonia|cap",
    "pulmonary embolism": r"pulmonary embol(?:ism|us|i)|pe",
    "deep vein thrombosis": r"deep (?:vein|venous) thrombosis|dvt",
    "heart failure": r"(?:congestive |decompensated ){0,3}(?:heart|cardiac) failure|chf|ccf|hfr?ef",
    "myocardial infarction": r"(?:acute )?myocardial infarction|heart attack|n?stemi|mi",
    "acute coronary syndrome": r"acute coronary syndrome|acs",
    "coronary artery disease": r"coronary (?:artery|heart) disease|cad|ischa?emic heart disease|ihd",
    "atrial fibrillation": r"atrial fibrillation|afib|a-fib|af",
    "copd": r"copd|chronic obstructive (?:pulmonary|airways?|lung) disease",
    "asthma": r"asthma(?:tic)?",
    "hypertension": r"hypertens(?:ion|ive)|htn|high blood pressure",
    "diabetes": r"diabet(?:es|ic)(?: mellitus)?|t2dm|dm",
    "cancer": r"(?:(?:lung|breast|colon|prostate) )?(?:cancer|carcinoma|malignanc(?:y|ies))",
    "tuberculosis": r"tuberculosis|tb",
    "sepsis": r"sepsis|septic(?: shock)?",
    "stroke": r"strokes?|cva|cerebrovascular accident",
    "infection": r"(?:(?:respiratory|chest|urinary) (?:tract )?)?infections?",
}
"""Finding -> how notes call it. A space in a pattern stands for any white space."""

_SHORT = frozenset({"CP", "SOB", "DOE", "PND", "CAP", "PE", "MI", "AF", "DM", "TB", "ACS", "CAD", "CVA", "IHD"})
"""Abbreviations that are words or other things in lower case."""
_NAMES = dict(enumerate(FINDINGS))
_PATTERN = re.compile(
    r"\b(?:"
    + "|".join(f"(?P<f{n}>{FINDINGS[name].replace(' ', chr(92) + 's+')})" for n, name in _NAMES.items())
    + r")\b",
    re.IGNORECASE,
)


def find_mentions(text: str) -> list[tuple[int, int, str]]:
    """(start, end, finding) of every mention, in order."""
    found = []
    for match in _PATTERN.finditer(text):
        if match[0].upper() in _SHORT and not match[0].isupper():
            continue
        name = _NAMES[int((match.lastgroup or "f0")[1:])]
        found.append((match.start(), match.end(), name))
    return found
