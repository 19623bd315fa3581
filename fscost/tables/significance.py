"""Which numbers of a group are the best as a test over seeds tells: the best mean, and what is not told from it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from fscost.tables.numbers import deviation_of

Sample = Mapping[Any, float]
"""A number for each seed."""

TESTS = {"welch": "Welch's t-test over seeds", "paired": "paired t-test over seeds"}
CORRECTIONS = {"holm": "Holm's correction", "bonferroni": "Bonferroni's correction", "none": "no correction"}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Judge:
    """A two-sided t-test at the level `alpha`, `welch` or `paired` by seed, with a correction for several of them."""

    test: str
    alpha: float
    correction: str

    def best(self, samples: Sequence[Sample], better: str) -> list[bool] | None:
        """Return which samples are the best: that of the best mean, and those from which no test tells it apart.

        None where there is no test for one of them, as it has one seed. `better` is ``higher`` or ``lower``.
        """
        means = [fmean(sample.values()) for sample in samples]
        first = means.index(max(means) if better == "higher" else min(means))
        others = [number for number in range(len(samples)) if number != first]
        found = [self.p_value(samples[first], samples[number]) for number in others]
        known = [p for p in found if p is not None]
        if len(known) < len(found):
            return None
        adjusted = dict(zip(others, corrected(known, self.correction), strict=True))
        return [adjusted.get(number, 1.0) >= self.alpha for number in range(len(samples))]

    def p_value(self, one: Sample, other: Sample) -> float | None:
        """Return how likely means are at least as far apart if they are equal; None where there is no test.

        That is for fewer than two seeds, and where numbers vary and all differences between pairs are the same. Numbers
        that do not vary over seeds differ or do not, with certainty.
        """
        if self.test == "paired":
            return _paired(one, other)
        return _welch([*one.values()], [*other.values()])

    def __str__(self) -> str:
        return f"{TESTS[self.test]}, two-sided, α = {self.alpha:g}, {CORRECTIONS[self.correction]} within a group"


def _welch(one: Sequence[float], other: Sequence[float]) -> float | None:
    if min(len(one), len(other)) < 2:
        return None
    deviations = [deviation_of(values) or 0.0 for values in (one, other)]
    if not any(deviations):
        return float(one[0] == other[0])
    from scipy import stats  # which takes longer to import than a table to make

    means = [fmean(values) for values in (one, other)]
    args = (means[0], deviations[0], len(one), means[1], deviations[1], len(other))
    return float(stats.ttest_ind_from_stats(*args, equal_var=False).pvalue)


def _paired(one: Sample, other: Sample) -> float | None:
    """Return the p-value of the differences between numbers of the same seeds: a t-test of their mean against 0."""
    differences = [one[seed] - other[seed] for seed in one if seed in other]
    if len(differences) < 2:
        return None
    spread = stdev(differences)
    if spread <= 1e-12 * max(map(abs, differences)):
        varies = any(deviation_of([*sample.values()]) for sample in (one, other))
        return 1.0 if not differences[0] else None if varies else 0.0  # the test divides by their spread
    from scipy import stats

    t = fmean(differences) / (spread / math.sqrt(len(differences)))
    return float(2 * stats.t.sf(abs(t), len(differences) - 1))


def corrected(values: Sequence[float], correction: str) -> list[float]:
    """Return p-values for as many tests as there are: of Bonferroni (1936), or of Holm (1979), step by step."""
    if correction == "none":
        return [*values]
    if correction == "bonferroni":
        return [min(1.0, len(values) * p) for p in values]
    order = sorted(range(len(values)), key=values.__getitem__)
    found, highest = [0.0] * len(values), 0.0
    for rank, number in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[number]))
        found[number] = highest
    return found


def half_width(values: Sequence[float], confidence: float = CONFIDENCE) -> float | None:
    """Return half of the confidence interval of a mean, by Student's t; None for fewer than two values."""
    if (deviation := deviation_of(values)) is None:
        return None
    if not deviation:
        return 0.0
    from scipy import stats

    return float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * deviation / math.sqrt(len(values))
