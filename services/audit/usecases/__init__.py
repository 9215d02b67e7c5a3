"""What the audit service does: one verb per function."""
