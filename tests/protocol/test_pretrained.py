"""Folders of pretrained models: their sizes, and how many tokens branch llm makes of their tokenizer."""

import json
from pathlib import Path
from typing import Any

import pytest

from fscost.errors import ConfigError
from fscost.protocol.pretrained import is_language_model, spec_in, spec_of_type
from tests.conftest import cell_of

GPT2 = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "vocab_size": 300}


def folder(tmp_path: Path, **files: Any) -> Path:
    found = tmp_path / "models" / "gpt2"
    found.mkdir(parents=True)
    for name, content in ({"config": GPT2} | files).items():
        (found / f"{name}.json").write_text(json.dumps(content))
    return found


def test_a_model_is_known_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = folder(tmp_path, config=GPT2 | {"architectures": ["GPT2LMHeadModel"], "transformers_version": "4.29.2"})
    monkeypatch.chdir(tmp_path)
    told = [cell_of("engine=estimate", "data=samples", "model=spec", f"shapes={way}")
            for way in (found, found / "config.json", "models/gpt2")]  # fmt: skip
    told.append(cell_of("engine=estimate", "data=samples", "fs.model.type=models/gpt2@huggingface_llm"))
    assert {one.id for one in told} == {told[0].id}
    assert told[0].get("model.spec") == {"name": "gpt2", "config": GPT2}
    assert told[0].axes["model"] == "gpt2"


def test_another_engine_reads_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    kind = "models/gpt2@huggingface_llm"
    assert cell_of("engine=builtin", f"fs.model.type={kind}").get("model.type") == kind


def test_a_configuration_nested_too_deeply_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 200_000)
    with pytest.raises(ConfigError, match="config.json: cannot be read: maximum recursion"):
        spec_in(tmp_path, "shapes=here")


@pytest.mark.parametrize(
    ("files", "tokens"),
    [
        ({}, None),
        ({"vocab": {"a": 0, "b": 1, "<|endoftext|>": 2}}, 4),  # [PAD]
        ({"vocab": {"a": 0, "b": 1}, "added_tokens": {"<p>": 2}, "special_tokens_map": {"pad_token": "<p>"}}, 3),
        ({"vocab": {"a": 0}, "tokenizer_config": {"tokenizer_class": "OtherTokenizer"}}, 5),
        ({"vocab": {"a": 0, "<s>": 1}, "tokenizer_config": {
            "tokenizer_class": "OtherTokenizer", "eos_token": {"content": "</s>"}}}, 5),
    ],
)  # fmt: skip
def test_the_tokens_that_a_tokenizer_lacks_are_added(tmp_path: Path, files: dict[str, Any], tokens: int | None) -> None:
    assert spec_in(folder(tmp_path, **files), "shapes=here")["config"].get("tokens") == tokens


@pytest.mark.parametrize(
    ("kind", "is_one"),
    [("models/gpt2@huggingface_llm", True), ("a@modelscope_llm", True), ("bert@transformers", False), (None, False)],
)  # fmt: skip
def test_what_names_a_language_model(kind: Any, is_one: bool) -> None:
    assert is_language_model(kind) is is_one


def test_a_model_that_is_not_here_is_refused_with_the_next_step() -> None:
    with pytest.raises(ConfigError, match=r"nowhere/llama/config.json is not there.*shapes=FOLDER.*model=llama_7b"):
        spec_of_type("nowhere/llama@huggingface_llm")


@pytest.mark.parametrize("content", ["no json", "[1]", "{}", '{"model_type": "t5"}'])
def test_a_configuration_that_is_none_is_refused_with_its_file(tmp_path: Path, content: str) -> None:
    found = folder(tmp_path)
    (found / "config.json").write_text(content)
    with pytest.raises(ConfigError, match="shapes=here: .*config.json"):
        spec_in(found, "shapes=here")


def test_a_model_of_more_layers_than_any_has_is_told(tmp_path: Path) -> None:
    found = folder(tmp_path, config=GPT2 | {"n_layer": 10_001})
    with pytest.raises(ConfigError, match="n_layer=10001: must be at most 10000"):
        cell_of("engine=estimate", "data=samples", "model=spec", f"shapes={found}")
