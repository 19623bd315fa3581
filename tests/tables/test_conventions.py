"""Printed figures: their digits and units, the ways to count a run, and how surprising a hit is."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fscost.errors import ConfigError
from fscost.tables.conventions import Convention, conventions_of
from fscost.tables.printed_figure import BYTES, PrintedFigure
from fscost.tables.reconciliation import Reconciliation

ROW = {
    "cell": "one", "clients": 11, "rounds": 5, "rounds_trained": 5, "params": 100, "trainable_bytes": 400,
    "state_dict_bytes": 448, "training_uplink_messages": 20, "training_uplink_client_rounds": 20,
    "training_uplink_payload_bytes": 8000, "training_uplink_scalar_bytes": 160, "training_uplink_wire_bytes": 12000,
    "training_downlink_messages": 20, "training_downlink_client_rounds": 20, "training_downlink_payload_bytes": 8960,
    "training_downlink_scalar_bytes": 0, "training_downlink_wire_bytes": None,
}  # fmt: skip
"""Four of eleven clients a round; buffers travel down alone, and one size is not known."""


def by_words(row: dict[str, Any], steps: int | None = None) -> dict[str, Fraction]:
    found, _ = conventions_of(row, steps)
    return {", ".join(word for word in one.words if word): one.size for one in found}


@pytest.mark.parametrize(
    ("text", "low", "high", "units"),
    [
        ("97MB", 96.5, 97.5, ("MB", "MiB", "Mbit")),
        ("0.35 MiB", 0.345, 0.355, ("MiB",)),
        ("1,023mb", 1022.5, 1023.5, ("MB", "MiB", "Mbit")),
        ("390.4GB", 390.35, 390.45, ("GB", "GiB", "Gbit")),
        ("56.78K", 56.775, 56.785, ("kB", "KiB", "kbit")),
        ("18 kilobytes", 17.5, 18.5, ("kB", "KiB", "kbit")),
        ("17.98kB", 17.975, 17.985, ("kB", "KiB", "kbit")),
        (".5 TB", 0.45, 0.55, ("TB", "TiB")),
        ("3 Mbits", 2.5, 3.5, ("Mbit",)),
        ("128 B", 127.5, 128.5, ("B",)),
        ("128 bytes", 127.5, 128.5, ("B",)),
        ("12,345,678", 12345677.5, 12345678.5, tuple(BYTES)),
    ],
)
def test_a_figure_is_an_interval_and_its_units(text: str, low: float, high: float, units: tuple[str, ...]) -> None:
    figure = PrintedFigure.from_text(text)
    assert (float(figure.low), float(figure.high), figure.units) == (low, high, units)
    assert figure.is_of(figure.low)
    assert not figure.is_of(figure.high)


@pytest.mark.parametrize(
    "text",
    ["31×", "abc", "-3MB", "12 potatoes", "1e400MB", "", "MB", "25,20MB", "1,0234MB", "1.2.3MB", "0MB", "0.00", "nan",
     "inf", "٣MB", "9" * 5000, "97MB/round", "97 %", "~97MB", "1 023 MB", "97MB\n98MB", "0x10MB", "12s", "3 Bs s"],
)  # fmt: skip
def test_what_is_no_figure_is_told_in_a_line_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write ") as told:
        PrintedFigure.from_text(text)
    assert len(str(told.value)) < 200
    assert "\n" not in str(told.value)


@given(st.integers(1, 10**9), st.integers(0, 4))
def test_a_number_has_the_digits_that_it_is_printed_with(value: int, decimals: int) -> None:
    number = Fraction(value, 7919)
    text = f"{float(number):,.{decimals}f}"
    if float(text.replace(",", "")):
        figure = PrintedFigure.from_text(f"{text}MB")
        assert figure.is_of(number) or number in (figure.low, figure.high)


def test_a_run_is_counted_by_direction_extent_and_content() -> None:
    found = by_words(ROW)
    assert found["payload, up, one message, as sent"] == 400
    assert found["payload, down, one message, as sent"] == 448
    assert found["payload, up + down, one message, as sent"] == 848
    assert found["payload, up, a round of all clients, as sent"] == 1600
    assert found["payload, up, a round of a client on average, as sent"] == Fraction(8000, 55)
    assert found["payload, up, all rounds of a client, as sent"] == 2000
    assert found["payload, up, all rounds of all clients, as sent"] == 8000
    assert found["payload, up + down, one message, parameters only"] == 800
    assert found["payload, up + down, one message, with buffers"] == 896
    assert found["payload, up, one message, parameters only, float16"] == 200
    assert found["payload, up, one message, with buffers, int8"] == 148
    assert found["wire, up, one message, as sent"] == 600
    assert found["content, up, one message, as sent"] == 408
    assert not [words for words in found if words.startswith(("wire, down", "wire, up + down"))]


def test_an_epoch_has_as_many_rounds_as_are_told() -> None:
    assert not [words for words in by_words(ROW) if "epoch" in words]
    assert by_words(ROW, 3)["payload, up, an epoch of all clients, as sent"] == 4800


def test_what_is_the_same_number_is_told_once() -> None:
    found, _ = conventions_of(ROW)
    assert len({one.size for one in found}) == len(found)
    (message,) = [one for one in found if one.size == 400]
    assert {"a round of a client", "parameters only"} <= {*message.also}
    assert not [word for word in message.also if "average" in word]


def test_another_way_to_the_same_number_is_told_in_full() -> None:
    twice = conventions_of(ROW | {"clients": 10})[0]  # two of five rounds on average, as two messages
    (found,) = [one for one in twice if one.size == 800]
    assert str(found).startswith("payload, up, all rounds of a client on average, as sent (the same: parameters only")
    assert "payload, up + down, one message, parameters only" in found.also


def test_one_client_is_all_of_them_and_one_round_is_all_rounds() -> None:
    alone = {key: 1 if key in ("clients", "rounds", "rounds_trained") else value for key, value in ROW.items()}
    words = {one.words[2] for one in conventions_of(alone)[0]}
    assert words <= {"one message", "a round"}


def test_what_is_not_known_is_left_out_and_told() -> None:
    assert "wire bytes of downlink are not known" in conventions_of(ROW)[1]
    found, left_out = conventions_of(ROW | {"training_uplink_payload_bytes": 7999})
    assert not [one for one in found if "float16" in one.words and "up" in one.words]
    assert any(line.startswith("uplink: its messages are not the trained parameters") for line in left_out)
    assert conventions_of({name: None for name in ROW})[0] == []


def test_chance_is_the_density_of_numbers_times_the_width_of_the_figure() -> None:
    numbers = [Convention((str(size),), Fraction(size)) for size in (10, 100, 1000)]
    exact = Reconciliation.of(PrintedFigure.from_text("100.0B"), numbers, "cell")
    assert [one.value for one in exact.hits] == [100]
    assert exact.nearest == []
    assert exact.tried == 3
    assert exact.by_chance == pytest.approx(3 * math.log(100.05 / 99.95) / math.log(100))
    rough = Reconciliation.of(PrintedFigure.from_text("9B"), numbers[:1], "cell")
    assert (rough.tried, rough.by_chance) == (1, pytest.approx(math.log10(9.5 / 8.5)))


def test_the_nearest_three_are_told_where_nothing_hits() -> None:
    numbers = [Convention((str(size),), Fraction(size)) for size in (10, 90, 100, 120, 1000)]
    found = Reconciliation.of(PrintedFigure.from_text("105 B"), numbers, "cell")
    assert [one.value for one in found.nearest] == [100, 120, 90]
    assert "-4.76 %" in str(found)
    assert "by chance" not in str(found)


@pytest.mark.parametrize(("text", "difference"), [("1000000 kB", "-100.00 %"), ("0.0001 B", "+1e+07 %")])
def test_figures_of_another_magnitude_are_short(text: str, difference: str) -> None:
    found = Reconciliation.of(PrintedFigure.from_text(text), [Convention(("ten",), Fraction(10))], "cell")
    assert difference in str(found)
    assert max(map(len, str(found).splitlines())) < 80


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("150.0 B", "0.029 hits expected by chance: a hit is hardly chance"),
     ("150 B", "0.29 hits expected by chance: a hit says something"),
     (".2 kB", "55 hits expected by chance: a hit says little")],
)  # fmt: skip
def test_few_digits_say_little(text: str, verdict: str) -> None:
    numbers = [Convention((str(size),), Fraction(size)) for size in range(100, 200)]
    assert verdict in str(Reconciliation.of(PrintedFigure.from_text(text), numbers, "cell"))
