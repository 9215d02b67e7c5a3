"""Routes: parse, call one use case, answer. Those that need pydicom and NumPy import them when first called."""
