"""One study from the research door into a folder."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


class NotExported(Exception):
    """The door gave nothing; its words name no patient."""


def download(http: httpx.Client, study: str, into: Path) -> tuple[int, int]:
    """Fetch a study; how many instances came, and how many were kept back.

    The folder is named after the study's new UID: the old one stays here.

    Raises: NotExported; httpx.HTTPError: nobody answers.
    """
    answer = http.post("/research/exports", json={"study": study})
    if not answer.is_success:
        raise NotExported(str(answer.json().get("detail", answer.status_code)))
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        folder = into / manifest["study"]
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*manifest["exported"], "manifest.json"):
            (folder / Path(name).name).write_bytes(archive.read(name))
    return len(manifest["exported"]), len(manifest["withheld"])
