"""Routes: parse, call one use case, answer. pydicom and numpy are imported by the routes that need them, not at start-up."""
