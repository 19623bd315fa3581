"""Adapters of language models as columns: which one, and those of its arguments that vary."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.errors import TableError
from fscost.tables import TableSpec
from fscost.tables.option_values import option_of, shared_adapter, varying_options
from tests.conftest import Result, cells_of

LLM = ("engine=estimate", "engine.protocol=llm", "data=samples", "model=llama_7b", "rounds=1", "clients=2")


def options(*grids: tuple[str, ...]) -> dict[str, list[object]]:
    cells = [cell for grid in grids for cell in cells_of(*LLM, *grid)]
    return {name: [values[cell.id] for cell in cells] for name, values in varying_options(cells).items()}


def test_two_ranks_are_told_apart_by_their_ranks_alone() -> None:
    assert options(("adapter=lora", "lora_rank=4,8")) == {"llm.adapter.args.r": [4, 8]}


def test_adapters_are_told_apart_by_their_names_alone() -> None:
    assert options(("adapter=lora,prefix,prompt,p_tuning,none",)) == {
        "llm.adapter": ["lora", "prefix", "prompt", "p-tuning", "none"]
    }


def test_an_argument_varies_among_cells_of_one_adapter() -> None:
    assert options(
        ("adapter=lora", "lora_rank=4,8"), ("adapter=prefix", "virtual_tokens=10,20"), ("adapter=none",)
    ) == {
        "llm.adapter": ["lora", "lora", "prefix", "prefix", "none"],
        "llm.adapter.args.r": [4, 8, "–", "–", "–"],
        "llm.adapter.args.num_virtual_tokens": ["–", "–", 10, 20, "–"],
    }


def test_what_nobody_says_is_pefts_default() -> None:
    said, unsaid = "[{adapter_package: peft, adapter_method: LoRA, r: 8}]", "[{adapter_method: lora}]"
    grid = ("fs.llm.adapter.use=true", f"fs.llm.adapter.args={said},{unsaid}")
    assert options(grid) == {}


def test_arguments_of_an_adapter_that_is_not_used_are_none() -> None:
    cells = cells_of(*LLM, "adapter=lora", "fs.llm.adapter.use=true,false")
    assert [option_of(cell, "llm.adapter") for cell in cells] == ["lora", "none"]


def test_a_forks_own_form_of_arguments_is_shown_as_it_is() -> None:
    cells = cells_of(*LLM, "fs.llm.adapter.use=true", "fs.llm.adapter.args=[{r: 1}],[{r: 1},{r: 2}]")
    assert [option_of(cell, "llm.adapter") for cell in cells] == ["lora", "[{r: 1}, {r: 2}]"]


@pytest.mark.pipeline
def test_adapter_and_rank_head_columns_of_every_format(tmp_path: Path, fscost: Callable[..., Result]) -> None:
    places = (f"store={tmp_path / 'runs'}", f"out={tmp_path / 'tables'}")
    fscost("-m", *LLM, "adapter=lora", "lora_rank=4,8", *places)
    shown = fscost("table", *LLM, "adapter=lora", "lora_rank=4,8", *places)
    assert "Rank  Method" in shown.out and "2,097,152" in shown.out and "4,194,304" in shown.out
    for name, words in (("tex", "Rank"), ("md", "| Rank |"), ("html", "Rank"), ("csv", "llm.adapter.args.r")):
        assert words in (tmp_path / "tables" / f"comm_cost.{name}").read_text()
    assert "The same in all rows: adapter LoRA, data" in shown.out
    across = fscost("table", *LLM, "adapter=lora", "lora_rank=4,8", "table.across=rank", *places)
    assert "Rank=4" in across.out and "Rank=8" in across.out
    alone = fscost("table", *LLM, "adapter=lora", "lora_rank=8", *places)
    assert "Adapter LoRA, rank 8, data" in alone.out


def test_what_all_cells_share_of_their_adapter_is_told() -> None:
    def told(*grid: str) -> dict[str, object]:
        return shared_adapter(cells_of(*LLM, *grid))

    assert told("adapter=lora", "lora_rank=4,8") == {"llm.adapter": "lora"}
    assert told("adapter=prefix") == {"llm.adapter": "prefix", "llm.adapter.args.num_virtual_tokens": 20}
    assert told("adapter=lora,none") == told("adapter=none") == {}


def test_adapter_and_rank_are_short_names_of_keys() -> None:
    spec = TableSpec.from_config({"rows": ["adapter?", "rank", "method"], "across": "virtual_tokens"})
    assert spec.rows == ["fs.llm.adapter?", "fs.llm.adapter.args.r", "method"]
    assert spec.across == "fs.llm.adapter.args.num_virtual_tokens"
    cells = [*cells_of(*LLM, "adapter=lora"), *cells_of(*LLM, "adapter=prefix")]
    spec.check_options(cells)
    with pytest.raises(TableError, match=r"fs.llm.adapter.args.q: FederatedScope has no such option"):
        TableSpec.from_config({"rows": ["fs.llm.adapter.args.q", "method"]}).check_options(cells)
