"""A patient's samples as they come, as server-sent events."""
