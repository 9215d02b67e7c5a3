"""Keeps the minutes: the verifiable log of everything that happened, patients' consents, and the registry of model
bundles.

It owns the log's leaves, tiles and signed checkpoints, the versions of every consent, and the bundles with their
stages. Consents and stages change only together with the log entry that tells of the change, in one transaction: they
are folds of the log. Others hand it events and ask it for decisions; what it answers 2xx is durable and covered by a
signed checkpoint.
"""
