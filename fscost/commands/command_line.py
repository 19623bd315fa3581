"""The command line: ``python -m fscost [VERB] OVERRIDE…``."""

import argparse
import errno
import gc
import os
import re
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn, TextIO

from fscost import __version__
from fscost.commands.completion import answer, is_ours
from fscost.commands.interrupts import ended_by_signals
from fscost.errors import FscostError, nearest
from fscost.printable import say

VERBS = {
    "plan": "list the cells of a grid, their ids and what is done, missing or failed; runs nothing",
    "status": "show how far the cells are while they are computed, by whatever command and on whatever machine",
    "rerun": "compute cells again; an old result stays until the new one is done",
    "check": "read runs again, hash their files, and list which cannot be believed and how to compute them again",
    "collect": "merge runs into frames: messages, workers, rounds, cells (CSV and Parquet)",
    "explain": "show where the numbers of cells come from: what was sent, and what FederatedScope logged of it",
    "reconcile": "tell which ways to count one cell reproduce a printed figure, as 256.48MB, to its digits",
    "table": "print the table of a grid or of folders with runs",
    "report": "write one page of a grid or of folders with runs: tables and figures to play with, and every cell",
    "plot": "draw a figure of a grid or of folders with runs: PDF, PNG, SVG or PGF, and its numbers as CSV",
}
_ABOUT = """fscost: communication-cost tables of federated-learning sweeps

  python -m fscost -m method=fedavg,fedprox clients=3,10   run what is missing, print the table
  python -m fscost VERB …                                  show or recompute: a grid, folders, or the last sweep"""
_MORE = """python -m fscost VERB --help lists the options of a verb, python -m fscost --help what a grid is made from.
fscost is short for python -m fscost; eval "$(fscost -sc install=bash)" completes both on Tab."""
_MULTIRUN = ("-m", "--multirun")
"""What Hydra wants before a grid, and nobody needs here."""
_HYDRA_FLAGS = ("--help", "-h", "--hydra-help", "--cfg", "-c", "--info", "-i", "--resolve", "--package", "-p",
                "--shell-completion", "-sc")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all done, 1 some cell failed, 2 the user's mistake."""
    gc.set_threshold(200_000, 50, 50)  # most of what a command makes stays to its end, and is looked through in vain
    _fill_standard_files()
    words = _with_config_dir(list(sys.argv[1:] if argv is None else argv))
    try:
        with ended_by_signals():
            code = _dispatch(words)
            sys.stdout.flush()
        return code
    except FscostError as error:
        for line in str(error).split("\n"):
            say(f"fscost: {line}")
        return 2
    except KeyboardInterrupt:
        say("fscost: interrupted; the same command goes on where it stopped")
        return 130
    except BrokenPipeError:
        return _without_output(0)
    except (ImportError, MemoryError) as error:
        if (getattr(error, "name", None) or "").startswith("fscost"):  # a mistake of ours
            raise
        *_, why = (str(error).strip() or "out of memory").splitlines()  # the last line, as numpy has a page of advice
        say(f"fscost: {why}; its packages need more memory, or to be installed again")
        return 2
    except OSError as error:
        without = "temporary files" if error.errno == errno.ENOENT else "standard output"  # what is written has a name
        say(f"fscost: {error.filename or without}: {error.strerror or error}")
        return 2 if error.filename else _without_output(2)


def _fill_standard_files() -> None:
    """Open what a shell has closed: a file of ours would take its number, and what is printed would land in it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout, sys.stderr = sys.stdout or open(1, "w"), sys.stderr or open(2, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        _show_any_character(stream)


def _show_any_character(stream: TextIO) -> None:
    """Show what a terminal of ASCII or Latin-1 lacks as ?; files are UTF-8 wherever they are written."""
    if isinstance(stream, TextIOWrapper) and stream.encoding.lower() != "utf-8":
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8")


def _without_output(code: int) -> int:
    """Return an exit code; what is left to be printed goes nowhere, where Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _dispatch(words: list[str]) -> int:
    if not words:
        print(_usage())
        return 0
    if words == ["--version"]:
        print(f"fscost {__version__}")
        return 0
    _check_current_folder()
    if words[0] in VERBS:
        return _verb(words[0], [_plain(word) for word in words[1:] if word not in _MULTIRUN])
    if words[0] in ("-sc", "--shell-completion") and is_ours(words[1:]):
        print(answer(words[1], VERBS, _own_words), end="")
        return 0
    if any(word.split("=")[0] in _HYDRA_FLAGS for word in words):
        return _hydra(words)
    unknown = [w for w in words if "=" not in w and w not in _MULTIRUN and not w.startswith("~")]
    if unknown:
        known = f"no such verb{nearest(unknown[0], VERBS)}; there are {', '.join(VERBS)}"
        raise FscostError(f"{unknown[0]}: {known}; a sweep needs none, only overrides like clients=3,10")
    from fscost.commands import compute

    return compute.run_sweep([_plain(word) for word in words if "=" in word or word.startswith("~")])


def _check_current_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise FscostError("the current folder was removed; cd to one that is there") from error


def _with_config_dir(words: list[str]) -> list[str]:
    """Turn Hydra's ``--config-dir DIR`` into an override, unless one of Hydra's own flags wants it as it is."""
    if any(word in _HYDRA_FLAGS for word in words):
        return words
    turned = re.sub(r"(?:^|(?<=\0))(?:--config-dir|-cd)[\0=]([^\0]+)", r"config_dir=\1", "\0".join(words))
    return turned.split("\0") if words else words


def _plain(word: str) -> str:
    """Return an override without its leading +: every name is known here, so nothing is ever appended."""
    return word.lstrip("+") if "=" in word else word


def _usage() -> str:
    verbs = (f"    {verb:11}{meaning}" for verb, meaning in VERBS.items())
    return "\n".join([_ABOUT, "", *verbs, "", _MORE])


def _own_words(verb: str) -> list[str]:
    """Return the words that a verb has of its own: its options, and the names of figures."""
    options = re.findall(r"--[a-z-]+", _parser(verb).format_usage())
    return ["--help", *options, *(_figures() if verb == "plot" else ())]


def _figures() -> Mapping[str, str]:
    """Return the figures, each with what it shows."""
    from fscost.plots import FIGURES  # alone: no other verb needs to know them

    return {name: kind.meaning for name, kind in FIGURES.items()}


def _hydra(words: list[str]) -> int:
    if any(word in ("--help", "-h") for word in words):
        print(_usage(), end="\n\n", flush=True)
    from fscost.plan.cell_from import resolvers
    from fscost.plan.hydra_config import answer_flags

    sys.argv[1:] = [_plain(word) for word in words]
    answer_flags(resolvers())
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise FscostError(f"{message}{self._meant(message)}; see {self.prog} --help")

    def _meant(self, message: str) -> str:
        """Return which option or which of its values may be meant."""
        if found := re.match(r"unrecognized arguments: (-[^\s=]*)", message):
            return nearest(found[1], [flag for action in self._actions for flag in action.option_strings])
        if found := re.search(r"invalid choice: '?(.*?)'? \(choose from (.*)\)", message):
            return nearest(found[1], [choice.strip("' ") for choice in found[2].split(",")])
        return ""


def _verb(verb: str, words: list[str]) -> int:
    given = _parser(verb).parse_intermixed_args(_read_first(verb, words))
    if verb == "status":
        from fscost.commands.status import status  # alone: what tables need takes longer to import than to look

        return status(given.selection, given.watch)
    if verb in ("plan", "rerun"):
        return _of_cells(given, verb)
    return _of_results(given, verb)


def _of_cells(given: argparse.Namespace, verb: str) -> int:
    from fscost.commands import compute

    if verb == "plan":
        return compute.show_plan(given.selection, listed=given.list)
    return compute.rerun(given.selection, failed=given.failed, missing=given.missing)


def _of_results(given: argparse.Namespace, verb: str) -> int:
    from fscost.commands import show  # alone: pandas takes longer to import than most plans to make

    match verb:
        case "check":
            return show.check(given.selection)
        case "explain":
            return show.explain_cells(given.selection)
        case "reconcile":
            return show.reconcile_figure(given.figure, given.selection, given.steps)
        case "collect":
            return show.collect(given.selection, given.out)
        case "report" if given.serve:
            return show.serve_report(given.selection, given.serve, given.figures)
        case "report":
            return show.report(given.selection, given.out, given.figures)
        case "plot":
            drawn = {name: getattr(given, name) for name in ("width", "over", "from_zero", "at_ends")}
            return show.plot(given.selection, given.figure, given.out, drawn, {"pgf": given.pgf, "svg": given.svg})
        case _:
            return _table(given)


def _table(given: argparse.Namespace) -> int:
    from fscost.commands import show
    from fscost.tables.render import format_of

    if given.cells:
        _refuse_beside_cells(given)
        return show.trace_cells(given.selection, given.out)
    format = given.format or format_of(given.template) or format_of(given.out)
    if format is None and given.out and given.out.suffix:
        word = "; Word takes HTML through pandoc" if given.out.suffix in (".doc", ".docx", ".odt") else ""
        raise FscostError(f"--out {given.out}: no format is called so; name one with --format{word}")
    format = format or "text"
    return show.table(given.selection, format, given.template, given.out, standalone=given.standalone)


def _parser(verb: str) -> _Parser:
    parser = _Parser(prog=f"fscost {verb}", description=VERBS[verb], allow_abbrev=False)
    if verb == "plot":
        figures = _figures()
        meanings = "; ".join(f"{name}: {meaning}" for name, meaning in figures.items())
        parser.add_argument("figure", choices=figures, help=meanings)
    if verb == "reconcile":
        parser.add_argument("figure", help="as it is printed, digits and unit: 256.48MB, 1,023MiB; no unit = any")
        parser.add_argument("--steps", type=int, metavar="N", help="the rounds of an epoch, to try figures per epoch")
    parser.add_argument("selection", nargs="*", help="overrides that name a grid, or folders; nothing = the last sweep")
    _add_options_of_cells(parser, verb)
    if verb == "collect":
        parser.add_argument("--out", type=Path, help="folder for the frames")
    if verb == "report":
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--out", type=Path, metavar="FILE.html", help="the page; default: beside the tables")
        serve = "write nothing, but serve the page at http://127.0.0.1:PORT/, where it follows the sweep until Ctrl-C; "
        serve += f"only this machine can reach it; default: {_PORTS[0]}, or if it is taken one of the next or any"
        which = f"which figures it has, as accuracy,pareto; default: {', '.join(_figures())}"
        parser.add_argument("--figures", type=lambda word: word.split(","), metavar="NAME,…", help=which)
        either.add_argument("--serve", type=_ports, nargs="?", metavar="PORT", help=serve)
    if verb == "plot":
        _add_options_of_figures(parser)
    if verb == "table":
        _add_options_of_tables(parser)
    return parser


def _add_options_of_cells(parser: _Parser, verb: str) -> None:
    if verb == "plan":
        parser.add_argument("--list", action="store_true", help="list every cell, however many there are")
    if verb == "status":
        watch = "look again every second, or every so many, until nothing runs any more"
        parser.add_argument("--watch", type=_seconds, nargs="?", metavar="SECONDS", help=watch)
    if verb == "rerun":
        parser.add_argument("--failed", action="store_true", help="only cells that failed or cannot be believed")
        parser.add_argument("--missing", action="store_true", help="only cells that were never finished")


def _add_options_of_figures(parser: _Parser) -> None:
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for the figure; default: that of tables")
    width = "column (3.25 in, the default), page (6.75 in) or a number of inches"
    parser.add_argument("--width", default="column", help=width)
    over = "what accuracies are drawn over: bytes (the default), uplink (its bytes alone) or rounds"
    parser.add_argument("--over", choices=["bytes", "uplink", "rounds"], help=over)
    parser.add_argument("--from-zero", action="store_true", help="start the axis of accuracies at 0")
    parser.add_argument("--at-ends", action="store_true", help="name lines where they end, instead of in a legend")
    parser.add_argument("--svg", action="store_true", help="write SVG too")
    parser.add_argument("--pgf", action="store_true", help="write PGF too, which has the fonts of your document")


def _add_options_of_tables(parser: _Parser) -> None:
    from fscost.tables.formats import FORMATS  # alone: no other verb needs to know them

    formats = "default: what the template or the file is called, else text"
    parser.add_argument("--format", choices=[*FORMATS], help=formats)
    parser.add_argument("--standalone", action="store_true", help="a whole document: LaTeX to compile, or a page")
    parser.add_argument("--cells", action="store_true", help="print for each number the runs it comes from")
    parser.add_argument("--template", type=Path, metavar="FILE", help="your own Jinja2 template")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of printing")


def _read_first(verb: str, words: list[str]) -> list[str]:
    """Return a verb's words as argparse can read them; raises FscostError for what must come first."""
    if verb == "plot" and (not words or words[0] not in (*_figures(), "-h", "--help")):
        *most, last = _figures()
        meant = nearest(words[0], _figures()) if words else ""
        raise FscostError(
            f"{' '.join(['plot', *words[:1]])}: name the figure first: {', '.join(most)} or {last}{meant}"
        )
    return _with_values(_figure_first(words) if verb == "reconcile" else words)


def _figure_first(words: list[str]) -> list[str]:
    """Return words that begin with a printed figure, its unit in the same word; raises FscostError where none does."""
    if not words or re.match(r"-[\d.]", words[0]):
        raise FscostError(f"{' '.join(['reconcile', *words[:1]])}: write a printed figure above 0 first, as 256.48MB")
    is_apart = re.fullmatch(r"[\d.,]+ [A-Za-z]+", " ".join(words[:2])) and not Path(words[1]).exists()
    return [" ".join(words[:2]), *words[2:]] if is_apart else words


def _refuse_beside_cells(given: argparse.Namespace) -> None:
    for name in ("format", "template", "standalone"):
        if getattr(given, name):
            raise FscostError(f"--{name}: is of tables, and --cells prints the runs behind one; leave one of them out")


def _with_values(words: list[str]) -> list[str]:
    """Let a selection follow ``--watch`` and ``--serve``, which would take its first word for their number."""
    followed = zip(words, [*words, ""][1:], strict=True)
    return [
        f"{word}={_UNLESS_SAID[word]}" if word in _UNLESS_SAID and not _NUMBER.fullmatch(after) else word
        for word, after in followed
    ]


def _seconds(word: str) -> float:
    if not _NUMBER.fullmatch(word) or not _LEAST_S <= float(word) <= _MOST_S:
        raise argparse.ArgumentTypeError(f"{word}: must be a number of seconds from {_LEAST_S} to {_MOST_S}")
    return float(word)


def _ports(word: str) -> Sequence[int]:
    """Return which ports to try."""
    if word == _UNLESS_SAID["--serve"]:
        return _PORTS
    if not word.isdecimal() or int(word) > _MOST_PORT:
        raise argparse.ArgumentTypeError(
            f"{word}: must be a port, a whole number from 0 (any free one) to {_MOST_PORT}"
        )
    return [int(word)]


_UNLESS_SAID = {"--watch": "1", "--serve": "auto"}
_PORTS, _MOST_PORT = (*range(8470, 8480), 0), 65535
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_LEAST_S, _MOST_S = 0.1, 86400
