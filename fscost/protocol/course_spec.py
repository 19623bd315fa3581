"""A course made of the mapping that describes it, and everything that cannot be one refused with its key.

``docs/courses.md`` explains the keys.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from reprlib import repr as shortened
from typing import Any

import yaml

from fscost.cells.measure import Traffic
from fscost.errors import ConfigError, nearest
from fscost.formula import Formula
from fscost.protocol.codecs import CODECS
from fscost.protocol.course_options import Options
from fscost.protocol.courses import (
    END,
    FIXED_SIZES,
    KNOWN_SIZES,
    METRICS,
    MOMENTS,
    OF_MODEL,
    SAMPLE_SIZE,
    SAMPLED,
    SERVER,
    START,
    WORKERS,
    Course,
    MessageRule,
    Part,
    Size,
    TensorRule,
    all_formulas,
    base_of,
)
from fscost.protocol.model_shapes import ITEM_BYTES, shapes_of
from fscost.resources import conf

_MOST_NAMES, _MOST_SIZES = 200, 10**4


def make_course(spec: Any, sizes: Mapping[str, Any]) -> Course:
    """Return the course that a mapping describes, with sizes that win over its own; its ``paper`` is not read.

    Raises ConfigError, naming the key, for what is no course: unknown keys and names, and sizes that are none.
    """
    _check_keys(spec, ("name", "paper", "sizes", "messages"), "")
    if not isinstance(name := spec.get("name"), str) or not name:
        raise ConfigError(f"name={shortened(name)}: must be text, what tables call the method")
    messages = spec.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ConfigError("messages: must be a list of at least one message, as {type: …, from: server, to: sampled}")
    rules = tuple(_message(one, f"messages[{number}]") for number, one in enumerate(messages, start=1))
    found = dict(_sizes(_mapping(spec.get("sizes"), "sizes") | dict(sizes)))
    course = Course(name, rules, found)
    _check_traffic(course)
    _check_kinds(course)
    _check_names(course)
    _check_cycles(course)
    return course


def names_of_sizes(spec: Mapping[str, Any]) -> set[str]:
    """Return the sizes that can be set: those that a course has, and those of the cell that one can say otherwise."""
    return {*map(str, _mapping(spec.get("sizes"), "sizes")), *KNOWN_SIZES} - {*FIXED_SIZES}


def course_of(options: Options) -> Course | None:
    """Return the course that a cell names, or that belongs to its method; None for methods of another form.

    Raises ConfigError, naming the course and the key, where it makes no sense.
    """
    spec, own = options["course.spec"], [method.course for method in options.used_methods if method.course]
    if not spec and not own:
        return None
    spec = spec or shipped()[own[0]]
    try:
        return make_course(spec, options.cell.get("course.sizes", {}))
    except ConfigError as error:
        raise ConfigError(f"course {spec.get('name')}: {error}") from error


@cache
def shipped() -> Mapping[str, Mapping[str, Any]]:
    """Return the courses in ``conf/courses`` as mappings, by their names."""
    files = sorted((conf() / "courses").glob("*.yaml"))
    return {file.stem: {"name": file.stem} | yaml.safe_load(file.read_text()) for file in files}


# --- messages -------------------------------------------------------------------------------------

_MESSAGE_KEYS = (
    "type", "from", "to", "when", "every", "times", "tensors", "shapes", "only", "without", "lora_rank", "numbers",
    "codec", "traffic",
)  # fmt: skip


def _message(given: Any, where: str) -> MessageRule:
    _check_keys(given, _MESSAGE_KEYS, where)
    if not isinstance(kind := given.get("type"), str) or not kind:
        raise ConfigError(f"{where}.type={shortened(kind)}: must be text, what the message is called")
    rule = MessageRule(
        where=f"{where} {kind}",
        type=kind,
        sender=_word(given, "from", WORKERS, where),
        receiver=_word(given, "to", WORKERS, where),
        when=_word(given, "when", MOMENTS, where) if "when" in given else "",
        every=_formula(given["every"], f"{where}.every") if "every" in given else None,
        times=_formula(given["times"], f"{where}.times") if "times" in given else None,
        parts=_parts(given, where),
        only=_patterns(given, "only", where),
        without=_patterns(given, "without", where),
        lora_rank=_formula(given["lora_rank"], f"{where}.lora_rank") if "lora_rank" in given else None,
        numbers=_numbers(given.get("numbers"), where),
        codec=_codec(given.get("codec"), where),
        traffic=Traffic(_word(given, "traffic", [*Traffic], where)) if "traffic" in given else None,
    )
    for problem in _contradictions(rule):
        raise ConfigError(f"{where}.{problem}")
    return rule


def _contradictions(rule: MessageRule) -> Iterator[str]:
    """Yield which keys of a message do not go together."""
    if rule.sender == rule.receiver == SERVER:
        yield "to=server: the server sends nothing to itself; take sampled, all or one"
    if rule.when and rule.every:
        yield f"every: a message is sent either when={rule.when} or every so many rounds; leave one out"
    for key, who in (("from", rule.sender), ("to", rule.receiver)):
        if who == SAMPLED and rule.when in (START, END):
            yield f"{key}=sampled: no clients are sampled at the {rule.when}; take all"
    yield from _contents_that_do_not_fit(rule)


def _contents_that_do_not_fit(rule: MessageRule) -> Iterator[str]:
    if rule.numbers == METRICS and rule.parts is not None:
        yield "numbers=metrics: stand alone, as FederatedScope sends them; leave tensors out"
    if isinstance(rule.numbers, str) and rule.sender == SERVER:
        yield f"numbers={rule.numbers}: are a client's, and this message is the server's"
    of_model = any(not isinstance(part, tuple) for part in rule.parts or ())
    for key in ("only", "without", "lora_rank"):
        if getattr(rule, key) and not of_model:
            yield f"{key}: chooses tensors of a model; take tensors: model, or shapes: FILE"
    if rule.codec is not None and not rule.parts:
        yield "codec: there are no tensors to pack; say which with tensors"


def _word(given: Mapping[str, Any], key: str, known: Iterable[str], where: str) -> str:
    words = [str(word) for word in known]
    if (value := given.get(key)) not in words:
        raise ConfigError(
            f"{where}.{key}={shortened(value)}: must be one of {', '.join(words)}{nearest(str(value), words)}"
        )
    return str(value)


def _parts(given: Mapping[str, Any], where: str) -> tuple[Part, ...] | None:
    """Return the tensors of a message: None without any, and an empty tuple for an empty list."""
    tensors, shapes = given.get("tensors"), given.get("shapes")
    if tensors is not None and shapes is not None:
        raise ConfigError(f"{where}.shapes: the message has tensors already; leave one out")
    if shapes is not None:
        return (_spec(shapes, f"{where}.shapes"),)
    if tensors is None:
        return None
    parts = tensors if isinstance(tensors, list) else [tensors]
    return tuple(_part(part, f"{where}.tensors") for part in parts)


def _spec(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where}={shortened(given)}: must be a file with the shapes of tensors")
    try:
        shapes_of(given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return given


def _part(given: Any, where: str) -> Part:
    if isinstance(given, str) and given in OF_MODEL:
        return given
    if not isinstance(given, Mapping) or not given:
        words = ", ".join(OF_MODEL)
        close = nearest(given, OF_MODEL) if isinstance(given, str) else ""
        raise ConfigError(
            f"{where}={shortened(given)}: must be {words}{close}, or names with shapes, as {{logits: [samples, 10]}}"
        )
    return tuple(_tensor(name, value, f"{where}.{name}") for name, value in given.items())


def _tensor(name: Any, value: Any, where: str) -> TensorRule:
    own = value if isinstance(value, Mapping) else {"shape": value}
    _check_keys(own, ("shape", "dtype", "repeat"), where)
    shape, dtype, repeat = own.get("shape"), own.get("dtype", "float32"), own.get("repeat")
    if not isinstance(name, str) or not isinstance(shape, list):
        raise ConfigError(
            f"{where}: shape={shortened(shape)}: must be a list of numbers and formulas, as [samples, 10]"
        )
    if dtype not in ITEM_BYTES:
        raise ConfigError(f"{where}.dtype={shortened(dtype)}: must be one of {', '.join(ITEM_BYTES)}")
    if ("*" in name) != (repeat is not None):
        raise ConfigError(f"{where}: a name with * needs repeat, how many tensors it stands for, and only such a name")
    sizes = tuple(_formula(size, f"{where}.shape") for size in shape)
    return TensorRule(name, sizes, dtype, None if repeat is None else _formula(repeat, f"{where}.repeat"))


def _patterns(given: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = given.get(key, [])
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(one, str) and one for one in patterns):
        raise ConfigError(f'{where}.{key}={shortened(value)}: must be a pattern of names, as "*lora_B*", or several')
    return tuple(patterns)


def _numbers(value: Any, where: str) -> str | Formula | None:
    return value if value is None or value in (SAMPLE_SIZE, METRICS) else _formula(value, f"{where}.numbers")


def _codec(given: Any, where: str) -> Mapping[str, Any] | None:
    """Return the name and the settings of a codec, those that are formulas as such."""
    if given is None:
        return None
    own = {"name": given} if isinstance(given, str) else given
    if not isinstance(own, Mapping) or not isinstance(own.get("name"), str):
        raise ConfigError(f"{where}.codec={shortened(given)}: must be a name, as topk, or {{name: topk, ratio: 0.01}}")
    if own["name"] not in CODECS:
        known = ", ".join(CODECS)
        raise ConfigError(f"{where}.codec={own['name']}: must be one of {known}{nearest(own['name'], CODECS)}")
    return {key: _setting(key, value) for key, value in own.items()}


def _setting(key: str, value: Any) -> Any:
    if key in ("name", "index") or not isinstance(value, str):
        return value
    return Formula(value)


def _formula(value: Any, where: str) -> Formula:
    """Return a number or a formula; raises ConfigError for any other value and for numbers that are no sizes."""
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and value < 0):
        raise ConfigError(f"{where}={shortened(value)}: must be a whole number of at least 0, or a formula of sizes")
    try:
        return Formula(str(value))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


# --- sizes ----------------------------------------------------------------------------------------


def _sizes(given: Mapping[Any, Any]) -> Iterator[tuple[str, Size]]:
    for name, value in given.items():
        where = f"sizes.{name}"
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"{where}: the name of a size has letters, digits and _ alone")
        if len(given) > _MOST_NAMES:
            raise ConfigError(f"sizes: has {len(given):,} names; a course has at most {_MOST_NAMES}")
        if name in FIXED_SIZES:
            raise ConfigError(f"{where}: is the cell's own; set {_KNOBS[name]}, and leave it out here")
        yield name, _size(value, where)


_KNOBS = {"clients": "clients=N", "sampled": "clients_per_round=N", "rounds": "rounds=N"}


def _size(value: Any, where: str) -> Size:
    if value is None:
        raise ConfigError(f"{where}: has no value; give {where}=NUMBER")
    if isinstance(value, str):
        return _formula(value, where)
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= _MOST_SIZES:
        raise ConfigError(f"{where}: has {len(values):,} values; it takes 1 to {_MOST_SIZES:,}")
    whole = [int(one) if isinstance(one, float) and one.is_integer() else one for one in values]
    for one in whole:
        if type(one) is not int or one < 0:
            raise ConfigError(f"{where}={shortened(one)}: must be a whole number of at least 0, a formula, or a list")
    return tuple(whole)


def _check_traffic(course: Course) -> None:
    """Refuse a type of messages that is said to be of two classes of traffic: in tables a type has one."""
    said: dict[str, Traffic] = {}
    for rule in course.messages:
        if rule.traffic and (first := said.setdefault(rule.type, rule.traffic)) is not rule.traffic:
            raise ConfigError(f"{rule.where}.traffic={rule.traffic}: the type is {first} above; give it another name")


def _check_kinds(course: Course) -> None:
    lists = {name: len(size) for name, size in course.sizes.items() if isinstance(size, tuple) and len(size) > 1}
    for name, length in lists.items():
        if length != course.kinds:
            other = next(one for one in lists if lists[one] == course.kinds)
            raise ConfigError(
                f"sizes.{name}: has {length} values and sizes.{other} has {course.kinds}; clients take them in turn, "
                "so that both need as many"
            )


def _check_names(course: Course) -> None:
    """Refuse formulas with names that nobody has a value for."""
    known = [*dict.fromkeys([*course.sizes, *KNOWN_SIZES])]
    for where, formula in all_formulas(course):
        for name in formula.names:
            if base_of(name) not in known:
                raise ConfigError(
                    f"{where}: {name}: there is no such size{nearest(name, known)}; there are {', '.join(known)}"
                )


def _check_cycles(course: Course) -> None:
    """Refuse sizes that need themselves."""
    done: set[str] = set()
    for name in course.sizes:
        _follow(course, name, (), done)


def _follow(course: Course, name: str, way: tuple[str, ...], done: set[str]) -> None:
    if name in way:
        raise ConfigError(f"sizes.{name}: needs itself, by {' → '.join([*way[way.index(name) :], name])}")
    if name in done or not isinstance(size := course.sizes.get(name), Formula):
        return
    for other in size.names:
        _follow(course, base_of(other), (*way, name), done)
    done.add(name)


# --- forms ----------------------------------------------------------------------------------------


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}={shortened(value)}: must be a mapping, as {{classes: 10}}")
    return dict(value)


def _check_keys(given: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(given, Mapping):
        name = where or "course"
        raise ConfigError(f"{name}={shortened(given)}: must be a mapping with {', '.join(known)}")
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{where}{'.' * bool(where)}{key}: there is no such key{nearest(str(key), known)}; "
                f"there are {', '.join(known)}"
            )
