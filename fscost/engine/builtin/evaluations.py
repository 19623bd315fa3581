"""Evaluation results as FederatedScope forms them: over clients per round, and the best ever seen."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fscost.engine.builtin.training import Metrics

Summary = dict[str, Any]

LARGER_IS_BETTER = {"acc": True, "correct": True, "f1": True}
"""Direction per metric; every other one is better when smaller, ``total`` included, as in FederatedScope."""


def summaries(per_client: Sequence[Metrics]) -> dict[str, Summary]:
    """Return the three forms of a round's evaluation: weighted by samples, plain mean, and fairness over clients.

    ``total`` and ``correct`` are means in every form, as in FederatedScope's eval_results.log.
    """
    columns = columns_of(per_client)
    forms: dict[str, Summary] = {"weighted_avg": {}, "avg": {}, "fairness": {}}
    for key, values in columns.items():
        weights = columns[f"{key.split('_')[0]}_total"]
        mean = float(values.mean())
        if key.endswith(("_total", "_correct")):
            for form in forms.values():
                form[key] = mean
            continue
        forms["weighted_avg"][key] = float((values * weights).sum() / weights.sum())
        forms["avg"][key] = mean
        forms["fairness"] |= _fairness(key, values)
    return forms


def columns_of(per_client: Sequence[Metrics]) -> dict[str, Any]:
    """Return each metric as an array over the clients that sent it."""
    keys = dict.fromkeys(key for metrics in per_client for key in metrics)
    return {key: np.array([m[key] for m in per_client if key in m], dtype=float) for key in keys}


def _fairness(key: str, values: Any) -> Summary:
    if values.size < 2:
        return {key: values.tolist()}
    ordered, tenth = np.sort(values), values.size // 10
    shares = (ordered + 1e-9) / (ordered + 1e-9).sum()
    with np.errstate(all="ignore"):
        found = {
            "std": ordered.std(),
            "bottom_decile": ordered[tenth],
            "top_decile": ordered[values.size * 9 // 10],
            "min": ordered[0],
            "max": ordered[-1],
            "bottom10%": ordered[:tenth].mean() if tenth else math.nan,
            "top10%": ordered[values.size * 9 // 10 :].mean(),
            "cos1": ordered.mean() / np.sqrt((ordered**2).mean()),
            "entropy": -(shares * np.log(shares)).sum(),
        }
    return {f"{key}_{name}": float(value) for name, value in found.items()}


def larger_is_better(key: str) -> bool:
    """Return the direction of a metric like ``test_acc``."""
    return LARGER_IS_BETTER.get(key.split("_", 1)[-1], False)


class Best:
    """The best results so far, form by form; a form is replaced as a whole when its deciding key improves."""

    def __init__(self, deciding: str) -> None:
        self.deciding = deciding
        self.results: dict[str, Summary] = {}

    def update(self, form: str, results: Mapping[str, Any]) -> None:
        """Take `results` if they are better; FederatedScope decides fairness by its last key of that name."""
        key = next((name for name in reversed(list(results)) if self.deciding in name), None)
        if key is None:
            return
        before, new = self.results.get(form, {}).get(key), _scalar(results[key])
        if before is None or _is_better(new, _scalar(before), larger=larger_is_better(self.deciding)):
            self.results[form] = dict(results)

    def update_individual(self, form: str, columns: Mapping[str, Any]) -> None:
        """Take the best client of each metric, if the deciding metric's best client improved."""
        best = {key: float(v.max() if larger_is_better(key) else v.min()) for key, v in columns.items()}
        self.update(form, best)


def _is_better(new: float, old: float, *, larger: bool) -> bool:
    return new > old if larger else new < old


def _scalar(value: Any) -> float:
    return float(value[0]) if isinstance(value, list) else float(value)


class EarlyStop:
    """Stops when the deciding metric has not improved for `patience` evaluations (``early_stop``; 0 = never)."""

    def __init__(self, patience: int, delta: float, larger: bool) -> None:
        self.patience, self.delta, self.larger = patience, delta, larger
        self.best: float | None = None
        self.worse = 0

    def after(self, value: float) -> bool:
        """Note one evaluation and return whether to stop; a nan is neither better nor worse."""
        if self.patience == 0:
            return False
        sign = 1 if self.larger else -1
        if self.best is not None and sign * value < sign * self.best + self.delta:
            self.worse += 1
        else:
            self.best, self.worse = value, 0
        return self.worse >= self.patience
