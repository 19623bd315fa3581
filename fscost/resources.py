"""Where the configuration, the sweeps and the templates lie."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """Return the folder that holds conf/, sweeps/ and templates/: the package of a wheel, else the checkout."""
    for base in (_PACKAGE, _PACKAGE.parent):
        if (base / "conf" / "config.yaml").is_file():
            return base
    raise FileNotFoundError(f"no conf/config.yaml in {_PACKAGE} or beside it; install fscost again")


def conf() -> Path:
    """Return the folder of Hydra's primary configuration."""
    return root() / "conf"


def templates() -> Path:
    """Return the folder of the shipped templates."""
    return root() / "templates"
