"""What HL7 v2 observation reports mean to this service: which of their OBX segments are vital signs, and of what value.

Reports of record systems code them in LOINC, those of bedside monitors and gateways (IHE DEC, formerly PCD-01) in the
nomenclature of ISO/IEEE 11073-10101.
"""
