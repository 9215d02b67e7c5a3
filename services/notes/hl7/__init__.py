"""What HL7 v2 messages mean to this service: which acts they ask for, and the documents in them.

Nothing here knows sockets or the database. What was sent is never quoted: not in a problem, not in an answer.
"""
