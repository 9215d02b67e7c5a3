"""The outside door for hospital systems: a FHIR R4 facade and a CDS Hooks 2.0 service.

It takes documents and vital signs in FHIR and hands them on to the services that own them, with the caller's own token;
it shows finished diagnoses as FHIR resources and as decision-support cards. It never computes a diagnosis. It owns two
tables: the cards that were shown, and what clinicians answered to them.
"""
