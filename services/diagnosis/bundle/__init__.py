"""A model bundle: safetensors and JSON in one directory, named by the digest of its manifest."""
