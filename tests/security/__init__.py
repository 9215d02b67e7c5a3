"""What the whole suite promises of access, tokens, limits and secrets."""
