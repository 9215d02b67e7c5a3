"""The other side of the door: sends a file to a suite over the public contract and follows its import."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

POLL_S = 0.5
TIMEOUT = httpx.Timeout(60.0, read=600.0)
"""The answer to a file of gigabytes comes when all of it is durable."""


class ImportRefused(Exception):
    """The suite does not take the file; the words are its own."""


class ImportFailed(Exception):
    """The suite took the file and could not work on it."""


class Door:
    """The door for files of one suite, for one caller."""

    def __init__(self, url: str, token: str | None, console: Console) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT)
        self._console = console

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, file: Path, patient: str | None, zone: str | None) -> str:
        """Upload a file; gives the path of its import. Raises: ImportRefused, httpx.HTTPError."""
        fields = {name: value for name, value in {"patient": patient, "zone": zone}.items() if value}
        with self._progress() as progress, progress.open(file, "rb", description="Sending") as content:
            # A name that the file has here may tell whose it is, and the suite does not ask for one.
            answer = self._client.post("/vitals/imports", data=fields, files={"file": ("file", content)})
        self._check(answer)
        if answer.status_code == httpx.codes.OK:
            self._console.print("The suite has this file already.")
        return answer.headers["Location"]

    def follow(self, location: str) -> dict[str, Any]:
        """Wait until an import is over; gives what it came to. Raises: ImportRefused, httpx.HTTPError."""
        with self._progress() as progress:
            task = progress.add_task("Storing", total=None)
            while True:
                found: dict[str, Any] = self._get(location)
                progress.update(task, completed=found["bytes"]["done"], total=found["bytes"]["total"])
                if found["state"] in ("succeeded", "failed"):
                    return found
                time.sleep(POLL_S)

    def report(self, found: dict[str, Any], most: int) -> None:
        """Print what became of the records, and the first rejects. Raises: ImportFailed."""
        counts = found["counts"]
        told = ", ".join(f"{counts[name]} {name}" for name in ("accepted", "duplicates", "rejected", "ignored"))
        self._console.print(f"{counts['read']} records read: {told}")
        if counts["rejected"]:
            rejects = self._get(f"/vitals/imports/{found['id']}/rejects?limit={most}")["items"]
            for reject in rejects:
                self._console.print(f"  {reject['place']}: {reject['reason']}; {reject['fix']}", markup=False)
            if counts["rejected"] > len(rejects):
                self._console.print(f"  and {counts['rejected'] - len(rejects)} more")
        if found["state"] == "failed":
            self._console.print(f"[red]The import failed:[/] {escape(found['error'])}")
            raise ImportFailed

    def _get(self, path: str) -> Any:
        answer = self._client.get(path)
        self._check(answer)
        return answer.json()

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        try:
            problem = answer.json()
            fixes = "".join(f" Fix: {error['fix']}." for error in problem.get("errors", []) if "fix" in error)
            told = f"{problem['detail']}{fixes}"
        except (ValueError, KeyError, TypeError):
            told = f"the suite answered {answer.status_code}"
        raise ImportRefused(escape(told))

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        return Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
