"""Takes radiographs in and gives them out.

STOW-RS and C-STORE in, QIDO-RS and WADO-RS out, renderings to the other services. It owns the instances exactly as
they were received (the bytes in the blob store, addressed by digest), a row for each of them, which patient each
study and series belongs to, and the rendering of each that the networks see. What it answers with success is durable.
"""
