"""The packages that come with fscost's extras: who only collects, tabulates or estimates needs none of them."""

from importlib.util import find_spec

from fscost.errors import ConfigError

EXTRAS = {
    "train": {"torch": "torch", "sklearn": "scikit-learn"},
    "figures": {"matplotlib": "matplotlib"},
    "statistics": {"scipy": "scipy"},
    "report": {"plotly": "plotly", "itables": "itables"},
}
"""Extra → the modules that are imported with it, and the packages that have them."""


def check_extra(extra: str, what: str, otherwise: str = "") -> None:
    """Raise ConfigError where packages of one of `EXTRAS` are not installed; `what` needs them.

    `otherwise` is what can be done without.
    """
    missing = [package for module, package in EXTRAS[extra].items() if find_spec(module) is None]
    if missing:
        is_or_are = "is" if len(missing) == 1 else "are"
        cure = f"pip install 'fscost[{extra}]'{otherwise and f', or {otherwise}'}"
        raise ConfigError(f"{what}: {' and '.join(missing)} {is_or_are} not installed; {cure}")
