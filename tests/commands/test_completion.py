"""What Tab completes, asked as a shell asks: both spellings, every verb, and nothing of what else python runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.commands.command_line import VERBS
from tests.conftest import Result, in_process

TAB = """
eval "$({install})"
COMP_LINE={line!r} COMP_POINT=${{#COMP_LINE}} COMP_WORDS=({words}) COMP_CWORD={last}
{before}
_fscost {first}
printf '<%s>\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def on_tab(here: Path) -> Callable[..., list[str]]:
    """What bash completes a line to, after it sourced the script."""
    for name, called in (("fscost", f"{sys.executable} -m fscost"), ("python", sys.executable)):
        (here / name).write_text(f'#!/bin/sh\nexec {called} "$@"\n')
        (here / name).chmod(0o755)

    def completed(line: str, before: str = "") -> list[str]:
        words = line.replace("=", " = ").split() + [""] * line.endswith((" ", "="))
        script = TAB.format(
            install=f"{sys.executable} -m fscost -sc install=bash", line=line, first=words[0], before=before,
            words=" ".join(f"'{word}'" for word in words), last=len(words) - 1,
        )  # fmt: skip
        command = ["bash", "--norc", "-c", script]
        path = os.pathsep.join([str(here), os.environ["PATH"]])
        done = subprocess.run(command, cwd=here, env=os.environ | {"PATH": path}, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return [word[1:-1] for word in done.stdout.splitlines() if word != "<>"]

    return completed


@pytest.mark.pipeline
@pytest.mark.parametrize("program", ["fscost", "./fscost", "python -m fscost", "./python -m fscost"])
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("re", ["rerun ", "reconcile ", "report ", "resize=", "retries="]),
        ("table --for", ["--format "]),
        ("-m method=fedavg model=mlp_", ["mlp_l", "mlp_m", "mlp_s"]),
    ],
)
def test_both_spellings_complete(
    on_tab: Callable[..., list[str]], program: str, words: str, completed: list[str]
) -> None:
    assert on_tab(f"{program} {words}") == completed


@pytest.mark.pipeline
def test_what_else_python_runs_is_completed_as_before(on_tab: Callable[..., list[str]]) -> None:
    assert on_tab("python -m http.ser") == []
    assert on_tab("python train.py met") == []
    other = (
        '_other() { COMPREPLY=(as_before); }; complete -F _other python; eval "$(python -m fscost -sc install=bash)"'
    )
    assert on_tab("python -m http.ser", before=other) == ["as_before"]
    assert on_tab("python -m fscost pla", before=other) == ["plan "]


@pytest.mark.pipeline
def test_it_can_be_taken_back(here: Path) -> None:
    script = """complete -F _other python; {0} -m fscost -sc install=bash >on; {0} -m fscost -sc uninstall=bash >off
    . ./on; complete -p python; . ./off; complete -p python; complete -p fscost || declare -F _fscost || echo gone"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script.format(sys.executable)], cwd=here, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        "complete -o bashdefault -o default -o nospace -F _fscost python",
        "complete -o bashdefault -o default -F _other python",
        "gone",
    ]


@pytest.fixture
def asked(fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What the script is answered for a line."""

    def answered(line: str, shell: str = "bash") -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        done = fscost("-sc", f"query={shell}")
        assert (done.code, done.err) == (0, "")
        return done.out.splitlines()

    return answered


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fscost -m method=fedavg,fedpr", ["method=fedavg,fedproto", "method=fedavg,fedprox"]),
        ("fscost +sweeps=qu", ["+sweeps=quantization", "+sweeps=quickstart"]),
        ("fscost plot a", ["accuracy ", "audit ", "adapter=", "alpha="]),
        ("fscost net", ["network."]),
        ("fscost codec.uplink=none,s", ["codec.uplink=none,sign", "codec.uplink=none,sketch"]),
        ("fscost network.l", ["network.latency_ms="]),
        ("fscost fs.federate.sample_client_n", ["fs.federate.sample_client_num="]),
        ("fscost fail_fast=", ["fail_fast=true", "fail_fast=false"]),
        ("fscost rounds=", ["rounds=10"]),
        ("fscost hydra/launcher=s", ["hydra/launcher=slurm"]),
        ("fscost hydra.launcher.n", ["hydra.launcher.n_jobs="]),
        ("fscost --conf", ["--config-dir "]),
        ("fscost status --w", ["--watch "]),
        ("fscost table run", []),
        ("fscost 'method", []),
        ("fscost fs_config=", []),
        (
            "fscost engine=command 'engine.command=python a.py {seed} {args.mu} {args.log.dir}' args.",
            ["args.mu=", "args.log.dir="],
        ),
        ("fscost engine.com", ["engine.command="]),
        ("fscost --config-dir nowhere mod", []),
    ],
)
def test_a_word_becomes_what_could_stand_there(asked: Callable[[str], list[str]], line: str, words: list[str]) -> None:
    assert asked(line) == words


def test_every_verb_and_knob_can_be_found(asked: Callable[[str], list[str]]) -> None:
    found = asked("fscost ")
    assert found[: len(VERBS)] == [f"{verb} " for verb in VERBS]
    assert {"method=", "clients=", "alpha=", "lora_rank=", "fs.", "table.", "hydra/launcher="} <= {*found}


def test_options_of_ones_own_are_found(asked: Callable[[str], list[str]], here: Path) -> None:
    (here / "more" / "method").mkdir(parents=True)
    (here / "more" / "method" / "fedmine.yaml").write_text("# @package _global_\nfs: {fedprox: {use: true}}\n")
    for folder in ("config_dir=more", "--config-dir more", "--config-dir=more"):
        assert asked(f"fscost {folder} method=fedmi") == ["method=fedmine"]


@pytest.mark.pipeline
def test_other_shells_get_words_without_blanks_and_hydras_script(asked: Callable[..., list[str]], here: Path) -> None:
    assert asked("fscost pla", "fish") == ["plan"]
    assert "complete" in in_process("-sc", "install=fish", cwd=here).out
