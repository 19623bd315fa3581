"""What a metric's name says: which way is better, whether it is an accuracy, and what it is called in print."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal

Direction = Literal["higher", "lower", ""]
"""Which way is better; empty where nobody knows."""

DIRECTIONS: Final = ("higher", "lower")

ROUNDING: Final = 1e-6
"""A mean of shares may be so much above 1."""

_ACCURACY: Final = ("accuracy", "accuracies", "acc")


def _by_words(written: str, better: Direction) -> dict[str, tuple[Direction, str]]:
    return {term.lower(): (better, term.replace("_", " ")) for term in written.split()}


_TERMS: Final = {
    **_by_words(
        "accuracy accuracies BACC BAC correct F1 F2 fbeta fscore precision prec recall sensitivity specificity "
        "TPR TNR PPV NPV true_positive true_negative AUC AUROC ROCAUC AUPRC AUPR PRAUC AP mAP MRR NDCG DCG hit "
        "hits HR ROUGE BLEU SacreBLEU chrF METEOR SARI COMET CIDEr BERTScore EM exact_match R2 r_squared IoU mIoU "
        "jaccard Dice DSC PSNR SSIM MCC kappa NMI ARI pearson pearsonr spearman spearmanr kendall kendalltau "
        "correlation corr corrcoef likelihood log_likelihood ELBO reward success imp_ratio improvement gain pass",
        "higher",
    ),
    "acc": ("higher", "accuracy"),
    **_by_words(
        "loss losses error errors err EER MSE RMSE NRMSE NMSE MSLE RMSLE MAE MAPE SMAPE MASE WAPE CRPS NLL BCE CE "
        "xent crossentropy cross_entropy neg_log_likelihood negative_log_likelihood logloss perplexity PPL BPC "
        "BPB BPD WER CER TER bits_per_byte FID KID LPIPS hausdorff HD95 RSE KL KLD divergence Brier ECE FPR FNR "
        "FDR false_positive false_negative regret incorrect wrong misclassified misclassification",
        "lower",
    ),
}  # fmt: skip
"""Term → which way is better, and how it is written; words of a longer term are joined by ``_``."""

_ABBREVIATIONS: Final = {"roc": "ROC", "pr": "PR", "ema": "EMA", "iid": "IID", "ood": "OOD"}
"""How words are written that are no metrics."""

_DROPS: Final = {"drop", "drops", "decrease", "decline", "degradation", "reduction", "gap", "forgetting"}
"""What takes something away: of an accuracy less of it is better, of a loss nobody knows."""

_OTHER: Final = {
    "neg", "negative", "negated", "minus", "inverse", "inv",  # turned round, or not
    "std", "stdev", "stddev", "sd", "var", "variance", "stderr", "cos1", "entropy",  # spread is no quality
    "diff", "difference", "delta", "change", "threshold", "weight", "scale", "coef", "size", "to", "d2",  # made of it
    "attack", "backdoor", "poison", "poisoned", "poisoning", "asr", "mia", "membership", "forget", "unlearn",  # whose?
}  # fmt: skip
_OTHER_AT_END: Final = {
    "min", "max", "time", "seconds", "minutes", "hours", "round", "rounds", "iteration", "iterations", "steps",
    "epochs",
}  # fmt: skip
"""Words that make something else of a metric, of which its own direction says nothing."""


@lru_cache(maxsize=4096)  # every run of a store logs the same few
def direction_of(metric: str) -> Direction:
    """Return which way of a metric is better, by whole words of its name, whatever else stands around them.

    Where they contradict each other a loss or an error at the end counts: less of an ``accuracy_loss`` is better,
    whatever it means. Of ``loss_acc`` nobody knows, nor of a count.
    """
    pieces = [*_pieces(_before_at(metric))]
    found = [_TERMS[term][0] for _, term in pieces if term]
    words = ["" if term else own[0].lower() for own, term in pieces]
    if not found or _OTHER & {*words} or words[-1] in _OTHER_AT_END:
        return ""
    if _DROPS & {*words}:
        return "lower" if "lower" not in found else ""
    return found[-1] if len({*found}) == 1 or found[-1] == "lower" else ""


@lru_cache(maxsize=4096)
def is_accuracy(metric: str) -> bool:
    """Return whether a metric is a share of samples, which is printed in percent."""
    terms = {term for _, term in _pieces(_before_at(metric)) if term}
    return terms <= {*_ACCURACY} and direction_of(metric) == "higher"


def percent(accuracy: float) -> float:
    """Return one accuracy in percent; what is above 1 is that already."""
    return 100 * accuracy if accuracy <= 1 + ROUNDING else accuracy


def metric_text(metric: str) -> str:
    """Return what a metric is called within a sentence: its words, abbreviations as the field writes them."""
    if metric == "test_acc":
        return "accuracy"
    name, at, where = metric.partition("@")
    pieces = [*_pieces(name)]
    if not any(term for _, term in pieces):
        return metric.replace("_", " ").strip() or metric
    text = " ".join(_written(words, term) for words, term in pieces)
    return _HYPHENED.sub(lambda found: f"{found[1]}-{found[2].capitalize()}", text) + at + where.replace("_", " ")


def metric_title(metric: str) -> str:
    """Return what a metric is called where its name begins a heading."""
    text = metric_text(metric)
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first == first.lower() else text


_HYPHENED: Final = re.compile(r"\b(ROUGE|BLEU|top) ?(\d+|l|lsum|w|s|su)\b", re.IGNORECASE)
_ROUGE: Final = re.compile(r"(rouge|bleu)(\d|l|lsum|w|s|su)")


def _before_at(metric: str) -> str:
    """Return a name without where it is taken, as of ``hits@5`` or ``recall_at_10``, unless that is all there is."""
    name = re.split(r"@|(?<![^\W_])at(?![^\W_])", metric)[0]
    return name if any(term for _, term in _pieces(name)) else metric


def _pieces(name: str) -> Iterator[tuple[list[str], str]]:
    """Return the words of a name with the term that they are, empty for a word that is none; the longest terms win."""
    return _grouped([*_words(name)])


def _grouped(words: list[str]) -> Iterator[tuple[list[str], str]]:
    while words:
        own = next((words[:n] for n in (3, 2, 1) if _term("_".join(words[:n]))), words[:1])
        yield own, _term("_".join(own))
        words = words[len(own) :]


def _words(name: str) -> Iterator[str]:
    """Yield the words of a name; ``testAcc`` is two where one of them is a term."""
    for part in filter(None, _APART.split(unicodedata.normalize("NFKC", name))):
        pieces = _CAMEL.findall(part)
        if _term(part) or not any(term for _, term in _grouped(pieces)):
            yield part
        else:
            yield from (piece if piece.isupper() else piece.lower() for piece in pieces)


_APART: Final = re.compile(r"(?:[^\w.%]|_)+|\.(?!\d)|(?<!\d)%")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+|[^\W_]+")


def _term(word: str) -> str:
    """Return the term that a word is, but for a number behind it (``acc1``), or nothing."""
    if word.lower() in _TERMS:
        return word.lower()
    if rouge := _ROUGE.fullmatch(word.lower()):
        return rouge[1]
    return stem if (stem := word.lower().rstrip("0123456789")) in _TERMS else ""


def _written(words: Sequence[str], term: str) -> str:
    """Return words as they are printed; a number behind them stays there."""
    if not term:
        return _ABBREVIATIONS.get(words[0].lower(), words[0])
    text, behind = _TERMS[term][1], words[-1][len(term) :] if len(words) == 1 else ""
    return words[0] if behind and text == text.lower() else text + behind
