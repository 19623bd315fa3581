"""Reading a user's YAML file."""

from pathlib import Path
from typing import Any

import yaml

from fscost.errors import ConfigError


def read_yaml(knob: str, path: str) -> Any:
    """Return the content of the YAML or JSON file that a knob names; raises ConfigError with knob, file and line."""
    try:
        return yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{knob}={path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise ConfigError(f"{knob}={where}: no YAML: {getattr(error, 'problem', error)}") from error
