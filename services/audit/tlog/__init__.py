"""The log's mathematics and formats, without a database: RFC 6962 trees, C2SP tiles, notes, checkpoints, proofs."""
