"""The rules of the audit service, free of frameworks: entries, consent, the registry's stages."""
