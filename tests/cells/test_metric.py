"""What the name of a metric tells, by whole words: which way is better, and what it is called."""

import pytest

from fscost.cells.metric import direction_of, is_accuracy, metric_text, metric_title, percent

HIGHER = (
    "acc test_acc val_accuracy train_seen_acc val_unseen_acc server_acc client_acc global_accuracy testAcc "
    "Test/Accuracy TEST-ACC top1_acc top5acc acc@1 acc_top_5 Prec@1 balanced_accuracy test_acc_bottom_decile "
    "best_acc max_acc val_f1 val_f1_macro micro-f1 F1Score avg_precision recall@20 recall_at_10 auc roc_auc pr_auc "
    "AUROC ap mAP mAP@0.5 map50 val_mIoU dice mrr ndcg@10 hits@1 test_hits@5 hit_rate rouge rouge1 rouge-2 "
    "val_rougeL rouge_l rougeLsum valRougeL bleu BLEU-4 em test_exact_match ExactMatch r2 R² r2_score imp_ratio "
    "test_imp_ratio correct num_correct psnr ssim log_likelihood pass@1 mcc success_rate "
    "reward matthews_correlation spearmanr recall_10 rouge_1_f_score acc_norm acc,none bac_of_prototypes"
)
LOWER = (
    "loss avg_loss test_avg_loss total_loss loss_total loss_regular trainLoss train_loss_epoch mse test_rmse mae mape "
    "mean_squared_error error error_rate top1_error top-5-err test_err perplexity val_ppl nll neg_log_likelihood wer "
    "cer fid bpc regret cross_entropy binary_crossentropy KL_divergence false_positive_rate acc_drop accuracy_gap "
    "accuracy_loss acc_mse dice_loss acc_error loss_mean incorrect zero_one_loss bits_per_byte "
    "error_probability"
)
UNKNOWN = (
    "total test_total val_total num_samples loss_acc neg_loss neg_mean_squared_error loss_drop error_reduction "
    "test_acc_std acc_variance test_acc_min test_loss_max test_acc_cos1 test_loss_entropy delta_acc poison_attack_acc "
    "backdoor_accuracy time_to_acc best_acc_round lr learning_rate dropout score top1 squad my_metric accuracyuracy "
    "lossless mapping facc vaccine error_free_acc "
    "acc_stderr err_unc_corr d2_absolute_error_score"
)


@pytest.mark.parametrize(
    ("names", "better"), [(HIGHER, "higher"), (LOWER, "lower"), (UNKNOWN, "")], ids=["higher", "lower", "unknown"]
)
def test_which_way_is_better(names: str, better: str) -> None:
    assert {name: direction_of(name) for name in names.split()} == dict.fromkeys(names.split(), better)


@pytest.mark.parametrize("name", ["", "_", "@", "%", "at", "acc_at_", "准确率", "😀", "1", "__", "a" * 1000])
def test_what_is_hardly_a_name_tells_nothing_but_itself(name: str) -> None:
    assert direction_of(name) == ("higher" if "acc" in name else "")
    assert metric_title(name).strip() or not name


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("test_acc", "Accuracy"),
        ("val_acc", "Val accuracy"),
        ("val_accuracy", "Val accuracy"),
        ("test_accuracy", "Test accuracy"),
        ("testAcc", "Test accuracy"),
        ("top5_acc", "Top-5 accuracy"),
        ("acc@1", "Accuracy@1"),
        ("test_avg_loss", "Test avg loss"),
        ("val_f1_macro", "Val F1 macro"),
        ("testF1Macro", "Test F1 macro"),
        ("val_rougeL", "Val ROUGE-L"),
        ("rouge_l", "ROUGE-L"),
        ("rouge1", "ROUGE-1"),
        ("rougeLsum", "ROUGE-Lsum"),
        ("bleu4", "BLEU-4"),
        ("test_roc_auc", "Test ROC AUC"),
        ("test_hits@5", "Test hits@5"),
        ("mAP@0.5", "mAP@0.5"),
        ("val_miou", "Val mIoU"),
        ("iCaRL_score", "iCaRL score"),
        ("MyMetric", "MyMetric"),
        ("score_$x_1$", "Score $x 1$"),
        ("top_1%", "Top 1%"),
        ("test_vacc", "Test vacc"),
        ("r2", "R2"),
    ],
)
def test_what_a_metric_is_called(name: str, title: str) -> None:
    assert metric_title(name) == title
    assert metric_text(name).lower() == title.lower()


def test_abbreviations_are_written_alike_within_a_sentence() -> None:
    assert [metric_text(name) for name in ("f1", "val_acc", "mAP", "test_acc")] == [
        "F1",
        "val accuracy",
        "mAP",
        "accuracy",
    ]


@pytest.mark.parametrize("name", ["test_acc", "accuracy", "val_top5_acc", "acc@1", "balanced_accuracy"])
def test_accuracies_are_printed_in_percent(name: str) -> None:
    assert is_accuracy(name)


@pytest.mark.parametrize("name", ["f1", "acc_drop", "accuracy_loss", "test_acc_std", "acc_f1", "vacc", "", "roc_auc"])
def test_nothing_else_is(name: str) -> None:
    assert not is_accuracy(name)


@pytest.mark.parametrize(("logged", "printed"), [(0.7, 70.0), (1.0, 100.0), (70.3, 70.3), (0.0, 0.0)])
def test_an_accuracy_above_1_is_in_percent_already(logged: float, printed: float) -> None:
    assert percent(logged) == pytest.approx(printed)
    assert percent(1.0000000000000002) == pytest.approx(100)  # a mean of shares
