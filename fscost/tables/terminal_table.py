"""A table as a terminal shows it: in colour, and never a row that is broken at the edge.

The text is that of the plain format. A table that is too wide has its labels folded, or is split into blocks of
columns with the labels before each; where these leave no room for numbers, its rows stand below each other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from fscost.cells.outcome import Status
from fscost.printable import clean
from fscost.tables.formats.text import (
    GAP,
    SIGNS,
    columns_of,
    fill,
    is_grouped,
    legend_of,
    parts,
    span,
    stretched,
    widest,
    width_over,
    widths_of,
)
from fscost.tables.table import Column, Entry, Heading, Row, Table
from fscost.terminal import HANG, STYLES, wrapped

_EMPHASIS = {"best": "bold", "second": "underline", "": ""}

_LABEL_SHARE = 0.6
"""How much of a line the labels of a block may take."""

_LEAST_COLUMNS = 10
"""How narrow labels may be folded."""


def show(table: Table, console: Console | None = None) -> None:
    """Print a table on a terminal; where that is too narrow for a number, as if it were not."""
    console = console or Console(highlight=False)
    console.width = max(console.width, HANG + _LEAST_COLUMNS + len(GAP) + _widest_number(table))
    for part in view(table, console.width):
        console.print(part, soft_wrap=isinstance(part, Text))


def view(table: Table, width: int) -> Iterator[RenderableType]:
    """Yield what stands below each other; lines of Text are at most `width` columns, but for commands to copy."""
    yield from wrapped(Text(clean(table.caption).strip(), "bold"), width, hang=0)
    for body in _bodies(table, width):
        yield Text()
        yield from body
    remarks = [*_remarks(table, width)]
    yield from [Text()] * bool(remarks)
    yield from remarks


def _bodies(table: Table, width: int) -> Iterator[Iterable[RenderableType]]:
    """Yield the blocks of columns that fit, else the rows below each other."""
    columns, line = columns_of(table, parts), width + len(GAP)  # with what would stand behind the last column
    labels = [i for i, column in enumerate(table.columns) if not column.is_number]
    numbers = [i for i, column in enumerate(table.columns) if column.is_number]
    for room_over, is_whole in ((width_over, True), (_least_over, True), (_least_over, False)):
        measure = partial(_widths, table, columns, room_over)
        room = line - _taken(measure(numbers)) if is_whole else int(_LABEL_SHARE * line)
        label_widths = _narrowed([table.columns[i] for i in labels], measure(labels), room)
        blocks = _split(numbers, measure, line - _taken(label_widths))
        if _taken(label_widths) <= room and blocks:
            for block in blocks:
                own = [*labels, *block]
                yield _block(_part(table, own), [columns[i] for i in own], [*label_widths, *measure(block)])
            return
    yield _row_by_row(table, width)


def _least_over(heading: Heading) -> int:
    """Return how wide the columns below a heading must be for it to stand in several lines."""
    text = clean(heading.text)
    return widest([*text.split(), text[:_LEAST_COLUMNS]])


def _part(table: Table, numbers: Sequence[int]) -> Table:
    """Return the table with these columns alone."""
    rows = (replace(row, entries=tuple(row.entries[i] for i in numbers)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[i] for i in numbers), rows=tuple(rows))


def _widths(
    table: Table, columns: Sequence[Sequence[str]], room_over: Callable[[Heading], int], numbers: Sequence[int]
) -> list[int]:
    part = replace(table, columns=tuple(table.columns[i] for i in numbers), rows=())
    return widths_of(part, [columns[i] for i in numbers], room_over)


def _taken(widths: Sequence[int]) -> int:
    """Return how wide columns of these widths are, each with the gap behind it."""
    return sum(width + len(GAP) for width in widths)


def _narrowed(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """Return the widths with those of words, the widest first, made smaller until all fit or none can be any more."""
    narrowed = [*widths]
    while _taken(narrowed) > room:
        words = [i for i, column in enumerate(columns) if not column.numeric and narrowed[i] > _LEAST_COLUMNS]
        if not words:
            break
        narrowed[max(words, key=narrowed.__getitem__)] -= 1
    return narrowed


def _split(numbers: Sequence[int], measure: Callable[[Sequence[int]], list[int]], room: int) -> list[list[int]]:
    """Return blocks of as many columns as there is room for; none where one is too wide by itself."""
    blocks: list[list[int]] = [[]]
    for number in numbers:
        if blocks[-1] and _taken(measure([*blocks[-1], number])) > room:
            blocks.append([])
        blocks[-1].append(number)
    return blocks if all(_taken(measure(block)) <= room for block in blocks) else []


def _block(table: Table, columns: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[RenderableType]:
    if any(heading.text.strip() for heading in table.headings):
        spans = [span(heading, widths) for heading in table.headings]
        top = [_over(heading, table, width) for heading, width in zip(table.headings, spans, strict=True)]
        yield _grid(spans, [top], vertical="bottom")
    heads = (
        fill(clean(column.bottom), width, column.numeric) for column, width in zip(table.columns, widths, strict=True)
    )
    yield _grid(widths, [[Text(head, "bold") for head in heads]], vertical="bottom")
    yield Text(GAP.join("-" * width for width in widths), "dim")
    for numbers in _sections(table):
        if section := table.rows[numbers.start].section if numbers else "":
            yield from [Text()] * bool(numbers.start)
            yield Text(clean(section), "italic")
        yield _grid(widths, _rows(table, columns, widths, numbers))


def _sections(table: Table) -> Iterator[range]:
    """Yield the numbers of the rows of each section; a table without is one."""
    starts = [0, *(number for number, row in enumerate(table.rows) if row.section and number), len(table.rows)]
    return (range(start, end) for start, end in zip(starts, starts[1:], strict=False))


def _over(heading: Heading, table: Table, width: int) -> Text:
    """Return a heading over its columns, in several lines where it is wider."""
    if width_over(heading) <= width:
        return Text(stretched(heading, table, width), "bold")
    is_lone = heading.first == heading.last
    return Text(clean(heading.text), "bold", justify="right" if is_lone else "center")


def _rows(
    table: Table, columns: Sequence[Sequence[str]], widths: Sequence[int], numbers: range
) -> Iterator[list[Text]]:
    for number in numbers:
        row = table.rows[number]
        if number > numbers.start and row.rule == 0 and is_grouped(table):
            yield []
        yield [
            _styled(fill(texts[number], width, column.numeric), entry)
            for texts, width, column, entry in zip(columns, widths, table.columns, row.entries, strict=True)
        ]


def _styled(text: str, entry: Entry) -> Text:
    """Return an entry with its style, which the blanks around it have none of."""
    styled = Text(text)
    style = _of_status(entry.mark.status) if entry.mark else _EMPHASIS[entry.emphasis]
    styled.stylize(style, len(text) - len(text.lstrip()), len(text.rstrip()))
    return styled


def _of_status(status: Status | None) -> str:
    return STYLES[status] if status else "dim"


def _grid(widths: Sequence[int], rows: Iterable[Sequence[Text]], vertical: Literal["top", "bottom"] = "top") -> Grid:
    """Return texts in columns of these widths; what is wider is folded."""
    grid = Grid.grid(padding=(0, len(GAP), 0, 0))
    for width in widths:
        grid.add_column(width=width, overflow="fold", vertical=vertical)
    for row in rows:
        grid.add_row(*row)
    return grid


def _row_by_row(table: Table, width: int) -> Iterator[RenderableType]:
    number_width = _widest_number(table)
    heads = [clean(column.full_head) for column in table.columns]
    names = [head for head, column in zip(heads, table.columns, strict=True) if column.is_number]
    widths = [min(widest(names), width - HANG - len(GAP) - number_width), number_width]
    for number, row in enumerate(table.rows):
        if number and row.rule == 0 and is_grouped(table):
            yield Text()
        yield from wrapped(Text(_labels(table, row, heads), "bold"), width)
        numbers = [entry for entry, column in zip(row.entries, table.columns, strict=True) if column.is_number]
        pairs = [
            (Text(head), _styled(fill(_whole(entry), number_width, at_right=True), entry))
            for head, entry in zip(names, numbers, strict=True)
        ]
        yield Padding(_grid(widths, pairs), (0, 0, 0, HANG))


def _labels(table: Table, row: Row, heads: Sequence[str]) -> str:
    return ", ".join(
        f"{head} {clean(entry.full)}"
        for head, entry, column in zip(heads, row.entries, table.columns, strict=True)
        if not column.is_number
    )


def _whole(entry: Entry) -> str:
    return clean(entry.full) + SIGNS[entry.emphasis]


def _widest_number(table: Table) -> int:
    columns = (i for i, column in enumerate(table.columns) if column.is_number)
    return widest(_whole(entry) for i in columns for entry in table.column(i))


def _remarks(table: Table, width: int) -> Iterator[Text]:
    for sentence in filter(None, [*table.reading, legend_of(table)]):
        yield from wrapped(Text(clean(sentence).strip(), "dim"), width)
    for note in table.notes:
        mark, meaning = clean(note.mark).strip(), clean(f": {note.meaning}").rstrip()
        yield from wrapped(Text.assemble((mark, _of_status(note.status)), (meaning, "dim")), width)
    for command in table.to_do:
        yield Text.assemble(("to do: ", "dim"), clean(command).strip())
