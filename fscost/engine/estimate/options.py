"""Which cells have a closed form: those whose messages do not depend on how training goes."""

from collections.abc import Iterator

from fscost import vocabulary
from fscost.cell import Cell
from fscost.digits import SPLITTERS
from fscost.engine import fit
from fscost.engine.builtin.options import DATA_TYPES, Options
from fscost.errors import ConfigError
from fscost.metering import PROTOCOLS

METHODS = ("fedavg", "fedopt", "fedprox", "ditto", "pfedme", "fedem", "fedrep", "local", "global")

_WITHOUT_INFLUENCE = (
    "seed", "use_gpu", "device", "backend", "wandb.", "outdir", "data.root", "data.args", "data.splitter_args",
    "data.consistent_label_distribution", "data.server_holds_all", "dataloader.", "criterion.", "trainer.type",
    "train.", "grad.", "finetune.", "regularizer.", "fedprox.", "fedopt.", "nbafl.", "aggregator.",
    "federate.mode", "federate.ignore_weight", "federate.share_local_model", "federate.online_aggr",
    "federate.data_weighted_aggr", "federate.save_to", "federate.restore_from", "federate.merge_val_data",
    "personalization.regular_weight", "personalization.lr", "personalization.K", "personalization.beta",
    "personalization.local_update_steps", "personalization.epoch_", "model.task", "model.dropout", "eval.count_flops",
    "eval.best_res_update_round_wise_key", "eval.monitoring", "eval.report", "early_stop.delta",
    "early_stop.improve_indicator_mode", "fedswa.freq", "fedswa.start_rnd",
)  # fmt: skip
"""Options, or their first letters, that change neither how many messages are sent nor what is in them."""

_COUNTED = (
    "federate.client_num", "federate.sample_client_num", "federate.sample_client_rate", "federate.total_round_num",
    "federate.method", "federate.unseen_clients_rate", "federate.make_global_eval", "federate.merge_test_data",
    "federate.use_ss", "federate.join_in_info", "data.type", "data.splits", "data.splitter", "model.type",
    "model.hidden", "model.layer", "model.in_channels", "model.embed_size", "model.out_channels", "model.use_bias",
    "model.model_num_per_trainer",
    "personalization.local_param", "personalization.share_non_trainable_para", "quantization.method",
    "quantization.nbits", "fedswa.use", "eval.freq", "eval.metrics", "eval.split", "early_stop.patience",
)  # fmt: skip

_TIMING = {
    "asyn.use": "in asynchronous courses the number of messages depends on timing",
    "vertical.use": "messages of vertical and tree learning depend on the data",
}


def evaluations(options: Options) -> int:
    """Return how often clients evaluate: every ``eval.freq`` rounds and always after the last; 0 if the server does."""
    if options.global_evaluation:
        return 0
    rounds, every = options.rounds, int(options["eval.freq"])
    return rounds // int(every) + (rounds % every > 0)


def check_options(cell: Cell) -> None:
    """Raise ConfigError for a cell whose messages cannot be told without running it, with the reason."""
    problems = [*_depends_on_training(cell)] or [*_not_understood(cell)] or [*_contradictions(Options(cell))]
    if problems:
        raise ConfigError("; ".join(problems))


def _depends_on_training(cell: Cell) -> Iterator[str]:
    for name, why in _TIMING.items():
        if cell.get(name):
            yield f"fs.{name}=True: {why}; engine=federatedscope runs it"
    options = Options(cell)
    patience = options["early_stop.patience"]
    if 0 < patience < evaluations(options):
        yield (
            f"fs.early_stop.patience={patience}: when {evaluations(options)} evaluations stop early depends on "
            "training; set fs.early_stop.patience=0, or take engine=builtin"
        )


def _not_understood(cell: Cell) -> Iterator[str]:
    if cell.protocol not in PROTOCOLS:
        yield f"engine.protocol={cell.protocol}: must be one of {', '.join(PROTOCOLS)}"
    for name, value in vocabulary.leaves(cell.fs):
        if name not in _COUNTED and not name.startswith(_WITHOUT_INFLUENCE):
            yield f"fs.{name}={value}: engine=estimate does not know what it sends; engine=federatedscope does"


def _contradictions(options: Options) -> Iterator[str]:
    data, model = options["data.type"], options["model.type"]
    if str(options["federate.method"]).lower() not in METHODS:
        yield f"fs.federate.method={options['federate.method']}: engine=estimate knows {', '.join(METHODS)}"
    if data not in DATA_TYPES:
        yield f"fs.data.type={data}: engine=estimate knows {', '.join(DATA_TYPES)}"
    elif data != "toy" and options["data.splitter"] not in SPLITTERS:
        yield f"fs.data.splitter={options['data.splitter']}: engine=estimate knows {', '.join(SPLITTERS)}"
    if model not in fit.MODELS:
        yield f"fs.model.type={model}: engine=estimate knows {', '.join(fit.MODELS)}"
    yield from fit.problems(options.cell)
    if options["federate.use_ss"] and options.clients_per_round != options.clients:
        yield f"clients_per_round={options.clients_per_round}: secret sharing needs all {options.clients} clients"
