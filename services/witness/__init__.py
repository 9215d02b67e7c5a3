"""Watches verifiable logs from outside: it remembers the newest checkpoint that it saw of each log, cosigns a newer one
only if that continues it, and keeps what contradicts it as evidence.

It speaks C2SP `tlog-witness`, so that it can watch logs of others and others can watch ours. It owns its key, the
checkpoints that it cosigned, and the evidence. It is meant to run on another host than the log, under another
administrator; it needs nothing of the suite but this code.
"""
