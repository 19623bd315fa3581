"""Folders of pretrained language models: what their ``config.json`` and the files of their tokenizer say of sizes."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fscost.cells.names import shortened
from fscost.errors import ConfigError
from fscost.files import text_of, why
from fscost.protocol.language_models import TOKENS, sizes_in

_OF_A_HUB = re.compile(r"(.+)@(huggingface_llm|modelscope_llm)")
_CONFIG = "config.json"

_MOST_BYTES = 2**27
"""What a file of a tokenizer may have at most; those of 250,000 tokens have some MB."""


def is_language_model(kind: Any) -> bool:
    """Return whether a ``model.type`` names a language model by its folder, or by its name at a hub."""
    return bool(_OF_A_HUB.fullmatch(str(kind)))


def spec_of_type(kind: str) -> dict[str, Any]:
    """Return the spec of the language model that a ``model.type`` names.

    Raises ConfigError where it lies in no folder here, and where its ``config.json`` is not understood.
    """
    found = _OF_A_HUB.fullmatch(kind)
    folder = Path(found[1] if found else kind).expanduser()
    if not (folder / _CONFIG).is_file():
        raise ConfigError(
            f"fs.model.type={kind}: {folder / _CONFIG} is not there, which would say how large the model is; name the "
            "folder that has it with shapes=FOLDER, or take a model that is known, as model=llama_7b"
        )
    return {**spec_in(folder, f"fs.model.type={kind}"), "name": shortened(kind)}


def spec_in(path: Path, where: str) -> dict[str, Any]:
    """Return the spec of a folder, or of its ``config.json``; raises ConfigError, which begins with `where`."""
    file = path / _CONFIG if path.is_dir() else path
    folder = file.parent
    try:
        content = json.loads(text_of(file, _MOST_BYTES))
        config = sizes_in(content)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{where}: {file}: cannot be read: {why(error)}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {file}: {error}") from error
    tokens = _tokens_in(folder)
    return {"name": folder.resolve().name, "config": config | ({TOKENS: tokens} if tokens else {})}


# --- tokens ---------------------------------------------------------------------------------------

_SPECIAL = {"pad_token": "[PAD]", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
"""The tokens that branch llm adds where a tokenizer has none of this kind."""

_OF_GPT2 = {"eos_token", "bos_token", "unk_token"}
"""What GPT-2's tokenizer has without a word in its files."""


def _tokens_in(folder: Path) -> int | None:
    """Return how many tokens a tokenizer has once branch llm has added what it lacks, None where no file tells.

    Those of a ``vocab.json`` are counted; a ``tokenizer.model`` is none that can be read here.
    """
    vocabulary = _mapping(folder / "vocab.json")
    if not vocabulary:
        return None
    said = _mapping(folder / "tokenizer_config.json") | _mapping(folder / "special_tokens_map.json")
    has = {kind for kind in _SPECIAL if said.get(kind) is not None}
    if "GPT2" in str(said.get("tokenizer_class", "GPT2")):
        has |= _OF_GPT2
    tokens = {
        *vocabulary,
        *_mapping(folder / "added_tokens.json"),
        *(_text(said[kind]) for kind in has if kind in said),
    }
    return len(tokens | {_SPECIAL[kind] for kind in _SPECIAL if kind not in has})


def _text(token: Any) -> str:
    return str(token.get("content") if isinstance(token, Mapping) else token)


def _mapping(file: Path) -> dict[str, Any]:
    """Return the content of a JSON file, nothing where there is none."""
    try:
        content = json.loads(text_of(file, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
