"""Composing with Hydra: the configuration folder, the options of its groups, and one configuration per combination.

The only place that imports what Hydra keeps to itself. Its public functions compose through objects that the whole
process shares, and whoever imports fscost may be using these; a loader of our own leaves them alone.
"""

import inspect
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any, ClassVar, cast

import hydra
import yaml
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from hydra.version import VersionBase, setbase
from omegaconf import DictConfig, OmegaConf, _utils
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

from fscost.cells.engine_kinds import engine_kind
from fscost.errors import ConfigError
from fscost.plan.bounds import OF_FILE, bounded, counted, in_place_of, spend, spend_on
from fscost.plan.plain_config import Tree, computed, has, merged, read_yaml, with_value
from fscost.protocol.fs_options import leaves
from fscost.resources import conf
from fscost.yaml_text import NoYaml, load

OWN_LAYOUT = "own"
"""The option of the group ``table`` that a layout file becomes."""

GROUPS = ("method", "model", "adapter", "data", "engine", "table", "sweeps")
_CHOICES = (*GROUPS, "hydra/launcher")
WORDS = ("method", "model", "data")
"""The groups whose options may be any words where a command runs that knows them."""

_COMMAND = "engine.command="

ABSENT: Any = object()
"""What `select` returns for a key the configuration does not have."""

Resolvers = Mapping[str, Callable[..., Any]]
"""What options may call, by name."""

_BASE = "1.3" if hasattr(hydra.version, "base_at_least") else None
"""How Hydra 1.3 is to behave; 1.4 behaves in one way, and warns whoever asks for it."""

_LOADER: ContextVar[ConfigLoaderImpl] = ContextVar("the configuration folders that are open")
_ONE_AT_A_TIME = RLock()


@contextmanager
def configuration(
    config_dir: Path | None, layout: str | None = None, resolvers: Resolvers | None = None
) -> Iterator[None]:
    """Open the configuration folder; the options in `config_dir` and a table's `layout` file are added to its groups.

    The layout is the option ``table=own``; what it leaves out is as the shipped layouts have it. `resolvers` are what
    options may call, ``${fscost.NAME:…}``. Threads take turns; afterwards Hydra and OmegaConf are as before.
    """
    folders = create_config_search_path(str(conf()))
    if config_dir is not None:
        if not config_dir.is_dir():
            raise ConfigError(f"config_dir={config_dir}: no such folder; give one with method/, model/ or data/ in it")
        folders.prepend(_OF_USER, f"file://{config_dir.resolve()}", anchor="schema")
    with _ONE_AT_A_TIME, _version_base(), _resolving(resolvers or {}), ExitStack() as made:
        if layout is not None:
            folder = made.enter_context(TemporaryDirectory())
            _write_layout(layout, Path(folder) / "table" / f"{OWN_LAYOUT}.yaml")
            folders.prepend(f"table={layout}", f"file://{folder}", anchor="schema")
        with _opened(folders):
            yield


def _write_layout(path: str, to: Path) -> None:
    content = read_yaml("table", path)
    if not isinstance(content, dict):
        raise ConfigError(f"table={path}: must be a mapping, as conf/table/comm_cost.yaml is")
    shared = ["shared/layout@_here_", "shared/labels@_here_", "_self_"]
    to.parent.mkdir()
    to.write_text(yaml.safe_dump({"defaults": shared, "name": Path(path).stem} | content, sort_keys=False))


@contextmanager
def _opened(folders: ConfigSearchPath) -> Iterator[None]:
    """Make a loader of these folders the one that is asked, and forget afterwards what it said."""
    loader = ConfigLoaderImpl(folders)
    loader.repository = _Repository(folders)
    before = _LOADER.set(loader)
    try:
        yield
    finally:
        _LOADER.reset(before)
        for cached in (composed, group_options, _own_part, _parsed, _files, computed, raw_file):
            cast(Any, cached).cache_clear()


class _Repository(ConfigRepository):
    """Hydra's configuration files; a user's go through the gate for YAML before Hydra reads them."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        if "\0" in config_path:
            raise ConfigError(f"{config_path!r}: no option has such a name; leave it out of the defaults")
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        told = source.provider if source is not None else ""
        if source is not None and source.scheme() == "file" and Path(source.path) != conf():
            file = f"{source.path}/{source._normalize_file_name(config_path)}"
            knob = "config_dir" if told == _OF_USER else told.split("=")[0]
            spend_on(read_yaml(knob, file))
            told = told if knob == "table" else f"{knob}={file}"
        try:
            return super().load_config(config_path)
        except (HydraException, ValueError, OSError) as error:  # of its defaults, and the lines before them
            raise ConfigError(f"{told}: cannot be read: {' '.join(str(error).split())}") from error


_OF_USER = "command-line"
"""What Hydra calls the source of the files in ``config_dir``; that of a layout is called as the user names it."""


@contextmanager
def _version_base() -> Iterator[None]:
    base = VersionBase.instance()
    before = base.version_base
    if _BASE is not None:
        setbase(_BASE)
    try:
        yield
    finally:
        base.version_base = before


@contextmanager
def _resolving(resolvers: Resolvers) -> Iterator[None]:
    """Add Hydra's resolvers and ours, which have their short names too; a name that was taken keeps its resolver."""
    known = BaseContainer._resolvers
    before = dict(known)
    setup_globals()
    for name, resolver in resolvers.items():
        register(name, resolver)
        register(f"fscost.{name}", resolver)
    register("oc.create", _create)
    register("hydra", lambda key, _root_: OmegaConf.select(_root_, f"hydra.{key}", throw_on_missing=True))
    ours = {"hydra", "oc.create", *(f"fscost.{name}" for name in resolvers)}
    known.update({name: resolver for name, resolver in before.items() if name not in ours})
    added = known.keys() - before.keys()
    try:
        with counted(), in_place_of(config_loader_impl, "CachingConfigRepository", _Files):
            yield
    finally:
        for name in added:
            known.pop(name, None)
        known.update({name: before[name] for name in ours & before.keys()})


def _create(content: Any, _parent_: BaseContainer) -> Any:
    """Make a configuration of a value, as OmegaConf does; of a text, which is YAML, through the gate for that."""
    try:
        spend_on(load(content) if isinstance(content, str) else content)
    except NoYaml as error:
        raise ConfigError(f"${{oc.create:…}} of what is no YAML: {error}") from error
    return OmegaConf.create(content, parent=_parent_)


def register(name: str, resolver: Callable[..., Any]) -> None:
    """Register a resolver; OmegaConf 2.3 and 2.4 warn of each other's function."""
    newest = OmegaConf.register_resolver
    is_old = "replace" not in inspect.signature(newest).parameters
    cast(Any, OmegaConf.register_new_resolver if is_old else newest)(name, resolver, replace=True)


def answer_flags(resolvers: Resolvers) -> None:
    """Answer Hydra's own flags, --help, --cfg job, --info, …, as ``sys.argv`` has them; cells never run this way.

    Raises ConfigError where Hydra would print a traceback, or half a page.
    """

    def nothing(_config: DictConfig) -> None:
        pass

    base = {} if _BASE is None else {"version_base": _BASE}
    cast(Any, config_loader_impl).ConfigRepository = _Repository  # nobody else of this process asks Hydra
    os.environ["HYDRA_FULL_ERROR"] = "1"  # it raises then
    with _version_base(), _resolving({name: _in_place(resolver) for name, resolver in resolvers.items()}), bounded():
        try:
            cast(Any, hydra.main)(config_path=str(conf()), config_name="config", **base)(nothing)()
        except (HydraException, OmegaConfBaseException, ValueError, OSError, yaml.YAMLError) as error:
            first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise ConfigError(f"{' '.join(sys.argv[1:])}: {first.strip()}") from error


def _in_place(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Return a resolver whose lists can stand in a configuration, where ``--resolve`` puts them."""

    def resolved(*values: Any) -> Any:
        found = resolver(*values)
        return OmegaConf.create(found) if isinstance(found, list | dict) else found

    return resolved


HOW = "an axis is KEY=a,b or KEY=range(0,10), of a group KEY=glob(a*) too"
"""How axes are written, in words."""


@cache
def group_options(group: str) -> tuple[str, ...]:
    """Return the names of a group's options."""
    return tuple(_files().get_group_options(group))


def parse(lines: list[str]) -> list[Override]:
    """Parse overrides in Hydra's grammar."""
    return [_parsed(line) for line in lines]


@cache
def _parsed(line: str) -> Override:
    """Parse one override, once: the cells of a grid share theirs, and of whole numbers the grammar is asked once."""
    if (number := _NUMBER.fullmatch(line)) and (like := _of_number(number[1])):
        return replace(like, _value=int(number[2]), input_line=line)
    return _read(line)


_NUMBER = re.compile(r"([A-Za-z_][\w.]*)=(0|[1-9][0-9]{0,14})")


@cache
def _of_number(key: str) -> Override | None:
    """Return an override with a number, None for a key that takes text, or that is none."""
    try:
        override = _read(f"{key}=0")
    except ConfigError:
        return None
    return override if type(override.value()) is int else None


def _read(line: str) -> Override:
    loader = _LOADER.get()
    try:
        override = OverridesParser.create(config_loader=loader).parse_override(_as_text(line))
    except HydraException as error:
        first = (str(error).strip().splitlines() or ["None"])[0].split(" expecting ")[0]
        why = "" if first == "None" else f": {first.rstrip('.')}"
        quoted = "; a text with other signs than those of words stands in quotes, as \"KEY='für alle'\""
        raise ConfigError(f"{line}: cannot be read{why}; {HOW}{quoted * ('token recognition' in why)}") from error
    except ValueError as error:  # int() takes no more digits
        raise ConfigError(f"{line[:80]}…: cannot be read: a number of too many digits") from error
    override.config_loader = loader  # which knows the options that glob(…) chooses from
    return override


def _as_text(line: str) -> str:
    """Return an override of which the value is meant as it stands: a command, and any word about a table, is no axis.

    A shell has taken the quotes around a text already; one that is quoted for Hydra too stays. Of other settings of a
    table a comma makes a list.
    """
    name, _, value = line.partition("=")
    if not value or re.fullmatch(r"'([^'\\]|\\.)*'|\"([^\"\\]|\\.)*\"|null", value):
        return line
    if f"{name.lstrip('+')}=" == _COMMAND:
        return f"{_COMMAND}{quoted(value)}"
    if name in _TEXTS and not re.fullmatch(r"\{\s*(latex|text)\s*:.*\}", value):
        return f"{name}={quoted(_INTERPOLATION.sub(_UNRESOLVED, value))}"
    return f"{name}=[{value}]" if name.startswith("table.") and _is_sweep(value) else line


_INTERPOLATION, _UNRESOLVED = re.compile(r"(\\*)\$\{"), r"\1\1\\${"

_TEXTS = ("table.title", "table.caption")
"""Settings that are text, whatever signs it has."""


def _is_sweep(value: str) -> bool:
    try:
        return bool(OverridesParser.create().parse_override(f"key={value}").is_choice_sweep())
    except (HydraException, ValueError):
        return False


def quoted(text: str) -> str:
    """Return text between quotes, in Hydra's grammar: backslashes count only before a quote."""
    escaped = re.sub(r"(\\*)('|\Z)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"


@cache
def composed(groups: tuple[str, ...]) -> DictConfig:
    """Compose with Hydra's own section, against which a sweep file's is checked."""
    with bounded():
        config = _LOADER.get().load_configuration("config", list(groups), run_mode=RunMode.RUN, from_shell=False)
    OmegaConf.set_struct(config, False)
    return config


@cache
def _own_part(groups: tuple[str, ...]) -> Tree:
    """Lay the files of one combination of group choices over each other, once: most of the work, and no cell's.

    Hydra says which files and in which order; laying them over each other as plain dicts takes a tenth of its time.
    """
    parts, choices = _files().chosen(groups)
    tree: Tree = {}
    for path, package in parts:
        content = raw_file(path)
        if path == "fs":
            _check_hidden(tree.get("fs"), content["fs"])
        if package in ("method", "model", "adapter", "data", "sweeps"):
            raise ConfigError(f"{path.replace('/', '=', 1)}: its file sets nothing; begin it with # @package _global_")
        tree = with_value(tree, package, content) if package else merged(tree, content)
    _check_sections(tree)
    return with_value(tree, "hydra.runtime.choices", choices)


def _check_hidden(own: Any, knobs: Tree) -> None:
    """Refuse options of a user's that set what is laid over them: the option would silently have no effect."""
    given = dict(leaves(own)) if isinstance(own, dict) else {}
    for name, value in leaves(knobs):
        if name in given and given[name] != value:
            knob = re.fullmatch(r"\$\{(.*)\}", str(value))
            cure = f"set {knob[1]} there" if knob else f"give fs.{name}={given[name]} with the other choices"
            raise ConfigError(f"fs.{name}={given[name]}: has no effect in an option in config_dir; {cure}")


def _check_sections(tree: Tree) -> None:
    """Refuse options of a user's that make something else of a section, or leave out what an engine must say."""
    for key in ("fs", "engine", "table", "network", "codec", "hydra"):
        _check_section(key, tree.get(key))
    for key in ("sweeper", "launcher"):
        _check_section(f"hydra.{key}", tree["hydra"].get(key, {}))
    for key in ("name", "protocol"):
        if not isinstance(tree["engine"].get(key), str):
            raise ConfigError(f"engine.{key}={tree['engine'].get(key)}: the option of the engine must say it, as text")


def _check_section(name: str, section: Any) -> None:
    if not isinstance(section, dict):
        raise ConfigError(f"{name}={section}: is a section; an option in config_dir makes something else of it")


def config_of(parsed: list[Override]) -> Tree:
    """Return the configuration of one combination of overrides, not resolved."""
    config = _chosen(parsed)
    for override in parsed:
        key = override.key_or_group
        if key in _CHOICES:
            continue
        if not _is_in(config, key):
            raise ConfigError(f"{override.input_line}: has no effect with the other choices; leave it out")
        config = with_value(config, key, override.value())
    return config


def strays(parsed: list[Override]) -> set[str]:
    """Return the knobs among overrides that no option of this combination brings: ``lora_rank`` of a prefix."""
    config = _chosen(parsed)
    return {key for o in parsed if (key := o.key_or_group) not in _CHOICES and not _is_in(config, key)}


def _is_in(config: Tree, key: str) -> bool:
    return key.startswith(("fs.", "hydra.launcher.", "args.", "sizes.")) or has(config, key)


def _chosen(parsed: list[Override]) -> Tree:
    """Return the files of the options that are chosen, laid over each other; words that are no options are kept too.

    Where the engine takes no such words, the choice is Hydra's to refuse.
    """
    choices = [o for o in parsed if o.key_or_group in _CHOICES]
    words = [o for o in choices if is_word(o)]
    config = _own_part(tuple(str(o.input_line) for o in choices if o not in words))
    if words and not engine_kind(str(config["engine"]["name"])).takes_any_word:
        return _own_part(tuple(str(o.input_line) for o in choices))
    for override in words:
        config = with_value(config, f"hydra.runtime.choices.{override.key_or_group}", str(override.value()))
    return config


def is_word(override: Override) -> bool:
    """Return whether an override calls a method, a model or data by a word that is no option of theirs."""
    return override.key_or_group in WORDS and str(override.value()) not in (
        *group_options(override.key_or_group),
        "None",
    )


def grids_of(given: list[Override]) -> list[list[str]]:
    """Return the grids of the sweep file as overrides, one without any where no file was named.

    A file holds one grid, ``hydra.sweeper.params``, or the list ``grids``, whose cells follow one another.
    """
    file = next((str(o.input_line) for o in given if o.key_or_group == "sweeps"), "")
    if not file and not _has_grid(config_of([])):
        return [[]]
    config = composed(tuple(str(o.input_line) for o in given if o.key_or_group in ("sweeps", "hydra/launcher")))
    axes = _axes(config, file)
    if "grids" not in config:
        return [axes]
    if axes:
        raise ConfigError(f"{file}: has both grids and hydra.sweeper.params; write these as one more of the grids")
    lines = OmegaConf.to_container(config.grids) if OmegaConf.is_list(config.grids) else None
    if not lines or not all(isinstance(line, str) for line in lines):
        raise ConfigError(f"{file}: grids: must be a list of strings, as ['model=lr,mlp_s clients=3', 'model=…']")
    return [_words(str(line), file) for line in lines]


def _has_grid(config: Tree) -> bool:
    """Return whether a configuration without a sweep file has axes or grids all the same, from a folder of options."""
    return bool(config["hydra"]["sweeper"].get("params")) or "grids" in config


def _axes(config: DictConfig, file: str) -> list[str]:
    params = OmegaConf.to_container(config.hydra.sweeper.params or OmegaConf.create({}))
    for key, value in cast(dict[str, Any], params).items():
        if value is None:
            raise ConfigError(f"{file}: {key}: has no values in the sweep file")
        if isinstance(value, list):
            raise ConfigError(f"{file}: {key}: write the values as one string, '{','.join(map(str, value))}'")
    return [f"{key}={value}" for key, value in cast(dict[str, Any], params).items()]


def _words(line: str, file: str) -> list[str]:
    """Return the overrides in a line; those that are not about cells would silently hold for all grids."""
    try:
        words = [word.lstrip("+") for word in shlex.split(line)]
    except ValueError as error:
        raise ConfigError(f"{file}: grids: {line}: {error}") from error
    for word in words:
        if "=" not in word:
            raise ConfigError(f"{file}: grids: {word}: is no override like clients=3,10")
        if word.split("=")[0] in _OF_ALL_CELLS or word.startswith(("table.", "network.")):
            raise ConfigError(f"{file}: grids: {word}: holds for all cells; set it in the file, outside grids")
    return words


_OF_ALL_CELLS = (
    "sweeps", "grid", "config_dir", "store", "out", "table", "network", "engine.python", "hydra/launcher",
    "retries", "fail_fast",
)  # fmt: skip


@cache
def raw_file(path: str) -> Tree:
    """Return a configuration file as it is, nothing resolved; an option's is ``GROUP/OPTION``."""
    content = _files().plain(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}.yaml: must be a mapping from names to values")
    return cast(Tree, content)


def typed_file(path: str) -> DictConfig:
    """Return a configuration file with the types of its values, where it is one of a plugin's that has such."""
    with bounded():
        return cast(DictConfig, cast(Any, _files().load_config(path)).config)


@cache
def _files() -> "_Files":
    """Return the configuration files, each read once."""
    loader = _LOADER.get()
    is_shipped = {part.provider for part in loader.config_search_path.get_path()} <= {"hydra", "main", "schema"}
    return (_ShippedFiles if is_shipped else _Files)(loader.repository)


Chosen = tuple[Sequence[tuple[str, str | None]], dict[str, Any]]
"""The files of some options in their order, each with where it belongs in the configuration; and what was chosen."""


class _Files(CachingConfigRepository):
    """Configuration files that a user added to, each read once; every time that one is named counts."""

    def __init__(self, delegate: IConfigRepository) -> None:
        self.delegate, self.cache = delegate, {}  # Hydra copies it, as it looks elsewhere later; nobody does here

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Return what a file says, or None where there is none."""
        spend(OF_FILE)
        return super().load_config(config_path)

    def plain(self, path: str) -> Any:
        """Return what a file says, which nobody changes."""
        return OmegaConf.to_container(cast(Any, self.load_config(path)).config)

    def chosen(self, groups: tuple[str, ...]) -> Chosen:
        """Return the files of one combination of group choices."""
        with bounded():
            found = create_defaults_list(self, "config", parse([*groups]), prepend_hydra=True, skip_missing=False)
        parts = [(str(part.config_path), part.package) for part in found.defaults]
        return parts, dict(found.overrides.known_choices)


class _ShippedFiles(_Files):
    """The files of Hydra and of fscost alone: they are read once in a process, as long as they stay as they are.

    Parsing them and asking which are chosen is most of a plan, and a notebook plans again and again.
    """

    _read: ClassVar[dict[str, tuple[tuple[int, ...], ConfigResult | None]]] = {}
    _listed: ClassVar[dict[str, tuple[tuple[Any, ...], list[str]]]] = {}
    _plain: ClassVar[dict[str, tuple[ConfigResult | None, Any]]] = {}
    _known: ClassVar[dict[tuple[str, ...], tuple[Chosen, list[tuple[str, ConfigResult | None]]]]] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Return what a file says, which nobody changes, or None where there is none."""
        try:
            found = (conf() / f"{config_path}.yaml").stat()
            stamp: tuple[int, ...] = found.st_mtime_ns, found.st_size, found.st_ino
        except OSError:  # one of Hydra's own
            stamp = ()
        if self._read.get(config_path, (None, None))[0] != stamp:
            with _reading_quickly():
                self._read[config_path] = stamp, super().load_config(config_path)
        return self._read[config_path][1]

    def plain(self, path: str) -> Any:
        """Return what a file says, made plain once."""
        content = self.load_config(path)
        if path not in self._plain or self._plain[path][0] is not content:
            self._plain[path] = content, super().plain(path)
        return self._plain[path][1]

    def get_group_options(self, group_name: str, results_filter: ObjectType | None = ObjectType.CONFIG) -> list[str]:
        """Return the names of a group's options, listed anew when one was added or taken away."""
        folder = conf() / group_name
        stamp = (str(folder), folder.stat().st_mtime_ns if folder.is_dir() else 0, results_filter)
        if self._listed.get(group_name, ((), []))[0] != stamp:
            self._listed[group_name] = stamp, super().get_group_options(group_name, results_filter)
        return [*self._listed[group_name][1]]

    def chosen(self, groups: tuple[str, ...]) -> Chosen:
        """Return the files of one combination, asked of Hydra anew when one of them is another than it was."""
        known, contents = self._known.get(groups, (None, []))
        if known is None or any(self.load_config(path) is not content for path, content in contents):
            known = super().chosen(groups)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[groups] = known, [(path, self.load_config(path)) for path, _ in known[0]]
        return known


_MOST_KNOWN = 500
"""How many combinations are kept, of some kB each."""

_YAML_LOADER: Callable[[], type] | None = getattr(_utils, "get_yaml_loader", None)  # OmegaConf 2.4 has it elsewhere


def _reading_quickly() -> AbstractContextManager[None]:
    """Have OmegaConf parse with libyaml, in a tenth of the time, where PyYAML has that."""
    if _YAML_LOADER is None or not yaml.__with_libyaml__:
        return nullcontext()
    return in_place_of(_utils, "get_yaml_loader", _quick_loader)


@cache
def _quick_loader() -> type:
    """Return OmegaConf's own loader, which knows its numbers and refuses a key that is there twice, on libyaml."""
    assert _YAML_LOADER is not None
    return type("QuickLoader", (yaml.CSafeLoader, _YAML_LOADER()), {})
