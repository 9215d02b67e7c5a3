"""Checks the audit log without trusting it: receipts, exports, the whole log, and two checkpoints against each other.

This package needs the standard library and `cryptography`, and nothing of the suite: copied anywhere it runs as
`python -m verify …`. It is written apart from the code that writes the log on purpose, so that the two cannot be wrong
in the same way; the tests hold one against the other.
"""

from .command import main as main
