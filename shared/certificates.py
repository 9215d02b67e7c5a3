"""Whom this suite's HTTP clients believe to be a server: the authorities that httpx comes with, read once."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def authorities() -> ssl.SSLContext:
    """For `verify` of every client of a process: reading the authorities takes 20 to 50 ms, and a suite has dozens."""
    return httpx.create_ssl_context(trust_env=False)
