"""One HTML page about a sweep, with nothing beside it: tables and figures to play with, a section for each cell."""

from fscost.report.page import Live, as_json, content, page
from fscost.report.page_views import Subject

__all__ = ["Live", "Subject", "as_json", "content", "page"]
