"""The gate for YAML: plain values alone, of a bounded size, whatever its aliases and tags would make of it."""

from __future__ import annotations

from typing import Any

import yaml

_MOST_NODES = 1_000_000
"""How many values a file may come to, aliases written out; the largest configuration has some thousand."""

_MOST_DEEP = 100


class NoYaml(ValueError):
    """A text that is no YAML, or comes to more than can be; `line` is where, from 1."""

    def __init__(self, why: str, line: int = 1) -> None:
        super().__init__(why)
        self.line = line


def _too_deep(line: int) -> NoYaml:
    return NoYaml(f"nested more than {_MOST_DEEP} deep", line)


class _Loader(yaml.SafeLoader):
    """Reads what a configuration can hold: mappings, lists, texts, numbers; a date is the text that stands there."""

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:  # noqa: N803
        """Begin a list or mapping in brackets; PyYAML takes seconds for some thousand in each other."""
        if self.flow_level > _MOST_DEEP:
            raise _too_deep(self.line + 1)
        super().fetch_flow_collection_start(TokenClass)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:timestamp"]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
_Loader.yaml_constructors = {
    f"tag:yaml.org,2002:{tag}": _Loader.yaml_constructors[f"tag:yaml.org,2002:{tag}"] for tag in _PLAIN
}
_Loader.yaml_constructors[None] = yaml.SafeLoader.construct_undefined


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    value = int(loader.construct_yaml_int(node))
    if abs(value) >= _MOST_NUMBER:
        raise ValueError("a number of too many digits")
    return value


def _str(loader: _Loader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    text.encode()  # a half of a character has no code
    return text


_MOST_NUMBER = 10**300
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:str", _str)


def load(text: str) -> Any:
    """Return the content of a YAML text; raises NoYaml with the line of what is wrong."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node)
        return loader.construct_document(node)
    except NoYaml:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise NoYaml(
            " ".join(str(getattr(error, "problem", None) or error).split()), mark.line + 1 if mark else 1
        ) from error
    except RecursionError as error:
        raise NoYaml("nested too deeply") from error
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:  # of a tag: !!bool maybe
        raise NoYaml(f"a value that is not what its tag says: {' '.join(str(error).split())}") from error


def _check_size(top: yaml.Node) -> None:
    """Raise NoYaml where a document leads back to itself, is nested too deeply, or comes to too many values."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        known = sizes.get(id(node))
        if known is None:
            sizes[id(node)] = 0
            if depth > _MOST_DEEP:
                raise _too_deep(node.start_mark.line + 1)
            known = sizes[id(node)] = 1 + sum(size(below, depth + 1) for below in _below(node))
        if known == 0:
            raise NoYaml("an alias leads back to itself", node.start_mark.line + 1)
        if known > _MOST_NODES:
            raise NoYaml(f"its aliases come to more than {_MOST_NODES:,} values", node.start_mark.line + 1)
        return known

    size(top, 0)


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
