"""One HTML page about a sweep, which needs nothing beside it: tables and figures to play with, and every cell's section."""

from fscost.report.page import content, page
from fscost.report.subject import Subject

__all__ = ["Subject", "content", "page"]
