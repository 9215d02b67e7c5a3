"""Takes clinical notes in and gives them out: JSON or HL7 v2 in, the same text out.

It owns the notes exactly as they were sent, character by character, because every explanation points into them by
offset; and the audit events about them that are on their way. What it answers with success is durable.
"""
