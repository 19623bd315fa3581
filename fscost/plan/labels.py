"""Labels of the command line: of any value, also of those whose name Hydra's grammar has no words for."""

from collections.abc import Sequence

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from fscost.errors import ConfigError
from fscost.plan.compose import parse

_PREFIX = "table.labels."

Labels = dict[str, str | None]


def labels_of(lines: Sequence[str]) -> tuple[Labels, list[str]]:
    """Return the labels that overrides give, by what they are labels of, and the other overrides.

    Of ``table.labels.fedprox+quant8=Ours (8 bit)`` the name is all up to the first ``=``, and the text what Hydra makes
    of the rest, or else the rest as it is; ``null`` takes a label away.
    """
    labels: Labels = {}
    for line in lines:
        if line.startswith(_PREFIX):
            name, _, text = line.removeprefix(_PREFIX).partition("=")
            if not name:
                raise ConfigError(f"{line}: names nothing to label; write {_PREFIX}KEY=TEXT, as {_PREFIX}mlp_s=MLP-16")
            labels[name] = _text(text)
    return labels, [line for line in lines if not line.startswith(_PREFIX)]


def _text(text: str) -> str | None:
    try:
        (override,) = parse([f"table.title={text}"])
    except (HydraException, ConfigError):
        return text
    return _value(override, text)


def _value(override: Override, text: str) -> str | None:
    if override.is_sweep_override():  # a text with a comma is no axis
        return text
    value = override.value()
    return value if isinstance(value, str | None) else text
