"""What in a text names a person: found by pattern, by cue, by name list, and by what the sender says of the patient.

After the identifiers of 45 CFR 164.514(b)(2) that text can hold. Ages and years alone are not taken for identifiers.
"""
