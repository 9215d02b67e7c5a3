"""HL7 v2 as this service reads and answers it: frames, headers, segments, documents, acknowledgements.

Nothing here knows sockets or the database. What was sent is never quoted: not in a problem, not in an answer.
"""
