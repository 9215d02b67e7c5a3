"""Texts of notes as they lie in the database: sealed under the key of their patient (ADR 0147), so that no copy of a
row can be read once the patient was erased.

A text is bound to the digest of its note, which stays that of the plain note. A note from before is read as it is.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from services.notes.domain import NewNote, Note
from services.notes.errors import NoSuchNote, NoteDamaged
from services.notes.store import ErasureRow
from shared.erasure import blobs_of, place_now
from shared.errors import Unavailable
from shared.keys.sealing import CannotOpen, open_sealed, seal
from shared.keys.store import KeyDestroyed
from shared.web import Runtime


def seal_text(session: Session, runtime: Runtime, content: NewNote) -> bytes:
    """A new note's text, to be stored in the caller's transaction. Raises: Unavailable: a restored backup has not been
    erased from again yet."""
    place = place_now(session, runtime, ErasureRow, content.patient)
    try:
        return seal(runtime.keys.key_for(place), content.text.encode(), _address(place, content.digest))
    except KeyDestroyed as error:
        raise Unavailable("The patient was erased, and a backup has brought the time before that back.") from error


def with_text(runtime: Runtime, note: Note) -> Note:
    """A stored note with its text.

    Raises: NoSuchNote: the patient was erased. NoteDamaged: the text does not open.
    """
    if note.sealed is None:
        return note
    place = blobs_of(runtime, ErasureRow, note.content.patient).place
    try:
        key = runtime.keys.key_of(place)
        if key is None:
            raise NoteDamaged
        text = open_sealed(key, note.sealed, _address(place, note.digest)).decode()
    except KeyDestroyed as error:
        raise NoSuchNote from error
    except CannotOpen as error:
        raise NoteDamaged from error
    return replace(note, content=replace(note.content, text=text))


def _address(place: str, digest: str) -> str:
    return f"{place}/text/{digest}"
