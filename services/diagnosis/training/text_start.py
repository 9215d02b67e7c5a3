"""Where the note encoder begins: at random weights, or at those of a pretrained one from local files."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.model.note_encoder import NoteEncoder
from services.diagnosis.model.text_files import adopt, load_pretrained
from services.diagnosis.training.attributes import PartOrigin
from services.diagnosis.training.encoder_licence import encoder_licence
from services.diagnosis.training.recipe import Recipe


def adopt_files(recipe: Recipe) -> Recipe:
    """The recipe with the architecture of the pretrained note encoder that it names; as it is where it names none.

    Raises: EncoderFilesMissing; ValueError: windows longer than the encoder's positions.
    """
    return replace(recipe, model=replace(recipe.model, note=adopt(recipe.model.note)))


def begin_from_files(network: ConsiliumNetwork, recipe: Recipe) -> tuple[PartOrigin, ...]:
    """Put the pretrained weights into a fresh network. Returns: where they come from; nothing where there are none.

    Raises: EncoderFilesMissing.
    """
    source = recipe.model.note.pretrained
    if source is None:
        return ()
    digest = load_pretrained(cast(NoteEncoder, network.encoder("note")), recipe.model.note)
    return (PartOrigin("initial weights of the note encoder", f"local files, {digest}", encoder_licence(source)),)
