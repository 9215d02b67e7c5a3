"""HL7 CDA R2 documents as this service reads them: the header's facts, and the narrative of the sections as text.

Nothing here knows sockets or the database, and nothing that was sent is quoted in a problem.
"""
