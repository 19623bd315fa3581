"""The libraries that make the page interactive, out of the Python packages that carry them."""

import base64
import gzip
from functools import cache
from importlib.metadata import distribution
from pathlib import Path


@cache
def datatables() -> str:
    """Return DataTables, an ES module whose default export is its class, packed."""
    return packed(_file("itables", "itables/html/dt_bundle.js"))


@cache
def datatables_style() -> str:
    """Return DataTables' style sheet."""
    return _file("itables", "itables/html/dt_bundle.css").decode()


@cache
def plotly() -> str:
    """Return Plotly, a script that defines ``Plotly``, packed."""
    return packed(_file("plotly", "plotly/package_data/plotly.min.js"))


def packed(content: bytes) -> str:
    """Return content as text for a page: compressed by gzip, the same for the same content, in base64."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _file(package: str, path: str) -> bytes:
    return Path(str(distribution(package).locate_file(path))).read_bytes()
