"""A verifiable log's mathematics and formats, without a database: trees, tiles, notes, checkpoints, proofs
and cosignatures. The audit service writes such a log, the witness service watches one.
"""
