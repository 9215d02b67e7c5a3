"""Checks a resource against the JSON schema of FHIR R4: exactly the keywords that this schema uses, and no others.

It is small enough to be read, and it is itself tested on the official examples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ANNOTATIONS = {"description", "discriminator", "id", "$schema"}
KNOWN = {"$ref", "additionalProperties", "const", "enum", "items", "oneOf", "pattern", "properties", "required", "type"}
TYPES: dict[str, Any] = {"string": str, "boolean": bool, "number": (int, float), "array": list, "object": dict}

Schema = dict[str, Any]


class FhirSchema:
    """The schema, read once."""

    def __init__(self, path: Path) -> None:
        self._definitions: dict[str, Schema] = json.loads(path.read_text(encoding="utf-8"))["definitions"]

    def problems(self, resource: dict[str, Any]) -> list[str]:
        """What is wrong with a resource; empty when it is valid."""
        kind = resource["resourceType"]
        return list(self._check(self._definitions[kind], resource, kind))

    def _check(self, schema: Schema, value: Any, where: str) -> Iterator[str]:
        unknown = schema.keys() - KNOWN - ANNOTATIONS
        if unknown:
            raise AssertionError(f"keywords this checker does not know: {unknown}")
        if "$ref" in schema:
            yield from self._check(self._definitions[schema["$ref"].rpartition("/")[2]], value, where)
        elif "oneOf" in schema:
            yield from self._check(self._definitions[value["resourceType"]], value, where)
        else:
            yield from self._check_plain(schema, value, where)

    def _check_plain(self, schema: Schema, value: Any, where: str) -> Iterator[str]:
        expected = schema.get("type")
        if expected and (not isinstance(value, TYPES[expected]) or (expected == "number" and isinstance(value, bool))):
            yield f"{where} is no {expected}"
            return
        if "const" in schema and value != schema["const"]:
            yield f"{where} is not {schema['const']}"
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where} is none of the codes"
        if "pattern" in schema and not re.search(
            schema["pattern"], value if isinstance(value, str) else json.dumps(value)
        ):
            yield f"{where} does not match its pattern"
        if "items" in schema:
            for i, one in enumerate(value):
                yield from self._check(schema["items"], one, f"{where}[{i}]")
        if "properties" in schema:
            yield from self._check_properties(schema, value, where)

    def _check_properties(self, schema: Schema, value: Any, where: str) -> Iterator[str]:
        yield from (f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value)
        for name, one in value.items():
            if name in schema["properties"]:
                yield from self._check(schema["properties"][name], one, f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{where}.{name} is not in the specification"
