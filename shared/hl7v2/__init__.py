"""HL7 v2 as doors of several services read and answer it: a listener for MLLP, frames, headers, segments, times,
acknowledgements, and the order in which a message is read, stored and answered.

What a message means is each service's own. What was sent is never quoted: not in a problem, not in an answer.
"""
