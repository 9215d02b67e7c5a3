"""Every table and every query of the audit service."""
