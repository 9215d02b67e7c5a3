"""What every Consilium service needs and none owns.

Settings, database, authentication, the outbox, the blob store, clinical codes, errors and telemetry; `contracts/` holds
what one service says to another. Nothing here imports a service, and nothing here has side effects on import.
"""
