"""Who reads which options: what a verb, function or estimator would leave unread is refused.

An option that is accepted and not used is a wrong result without a word. A reader declares what it
reads; what else is said to it by name is refused, and so is a configuration that says otherwise
than what is done. A configuration as a whole may hold sections for others: it is shared.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxssl.config import Config, resolve, to_dict, with_method
from jaxssl.types import InputError


class Reader(NamedTuple):
    """Who reads options: sections or single ones, but for some."""

    what: str  # as it stands in a message
    reads: tuple[str, ...]
    unread: tuple[str, ...] = ()  # of the sections in `reads`
    settled: tuple[str, ...] = ()  # what it does in its own way, whatever a configuration says
    deaf: tuple[str, ...] = ()  # words such as `seeds` that it does not take


LAYERS = ("finetune.transfer_layers", "finetune.freeze_layers")
"""They must fit the encoder, and are kept with it."""
SCRATCH = ("finetune.scratch_steps", "finetune.scratch_learning_rate")
INPUT = ("data", "split", "normalize", "encoder")
OF_TRAINING = ("normalize", "encoder", "augment", "method", "optimizer", "pretrain")
OF_PRETRAINING = ("data", "split", *OF_TRAINING)
OF_ENCODER = (
    *("data.min_class_size", "data.use_unlabelled"),
    *("split.validation_share", "split.test_share", "split.seed", "split.protocol"),
    *OF_TRAINING,
)
"""What a given encoder brings with it."""
ONE_SPLIT = ("split.n_splits",)
TRIED = ("selftrain.student", "selftrain.temperature", "selftrain.labelled_weight")
METHODS_OWN = "a comparison, which takes methods and views from the methods' own files"
COMPARED = "sweep.shares", "sweep.linear_models"
ALL_NETWORKS = "finetune.batch_size", "finetune.schedule", "finetune.class_balance"
READERS: dict[str, Reader] = {
    "study": Reader("a study", tuple(vars(Config()))),
    "pretrain": Reader(
        "a pretraining, which is of one split and compares nothing",
        (*OF_PRETRAINING, "finetune", "run"),  # the encoder keeps how it is to be fine-tuned
        settled=ONE_SPLIT,
    ),
    "finetune": Reader(
        "a fine-tuning, which takes it from the encoder or does without",
        ("finetune", "split.protocol"),  # of other data than the encoder's
        SCRATCH,
    ),
    "search": Reader(
        "a grid of options, which is of one split and decides by scores alone",
        (*OF_PRETRAINING, "finetune", "selftrain", *COMPARED, "run"),
        ("pretrain.checkpoint_every",),
        ONE_SPLIT,
    ),
    "compare": Reader(
        METHODS_OWN,
        (*INPUT, "optimizer", "pretrain", "finetune", "selftrain", "sweep", "run"),
        ("sweep.arms", "sweep.label_order"),
        (*ONE_SPLIT, "method", "augment", *TRIED),
    ),
    "type1": Reader(
        "an audit of the tests, which trains from scratch on one split",
        (*INPUT, *LAYERS, *SCRATCH, *ALL_NETWORKS, "sweep.shares", "run"),
        settled=ONE_SPLIT,
        deaf=("splits", "method"),
    ),
    "type1_best": Reader(
        "an audit of the tests on the arm best, which pretrains encoders on one split",
        (*INPUT, *LAYERS, "pretrain", *COMPARED, "run"),
        ("pretrain.checkpoint_every",),
        settled=ONE_SPLIT,
        deaf=("splits", "method"),
    ),
    "variance": Reader(
        "an audit of the variance, which crosses its levels on given shares",
        (*OF_PRETRAINING, "finetune", "sweep.shares", "run"),
        (*SCRATCH, "pretrain.checkpoint_every", "run.seeds"),
        deaf=("seeds",),
    ),
    "reproduce": Reader(
        "a reproduction, whose figures and `scale` say what differs from the paper; `tune()` "
        "varies any option",
        ("data", "split", "run"),
        settled=(*OF_TRAINING, "finetune", "selftrain", "sweep", "run.seeds", *ONE_SPLIT),
    ),
    "doctor": Reader(
        "a plan of memory",
        ("split.validation_share", "split.test_share", *OF_TRAINING, "run"),
        ("run.seeds",),
    ),
    "classifier": Reader("an `SSLClassifier()`, which fine-tunes", ("finetune",), SCRATCH),
    "encoder": Reader(
        "an `SSLEncoder()`, which pretrains one encoder on all samples",
        (*OF_TRAINING, "finetune", "run"),
        ("pretrain.checkpoint_every", "run.seeds"),
    ),
}
"""Verbs, functions and estimators that read options."""


def _is_of(name: str, names: Iterable[str]) -> bool:
    """Whether an option, or its section, is among the names."""
    return name in names or name.partition(".")[0] in names


def refuse_unread(
    reader: str, said: Iterable[str], words: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Refuse options and words that are said one by one and that the reader leaves unread."""
    of = READERS[reader]
    for name in said:
        if not _is_of(name, of.reads) or _is_of(name, (*of.unread, *of.settled)):
            raise InputError(f"`{name}` is not for {of.what}", "drop it")
    for word in of.deaf:
        if words.get(word):
            raise InputError(f"`{word}={words[word]}` is not for {of.what}", "drop it")


def refuse_settled(reader: str, config: Config) -> None:
    """Refuse a configuration that says otherwise than what the reader does."""
    refuse_options(config, READERS[reader].settled, READERS[reader].what)


def refuse_options(given: Config, names: Collection[str], what: str) -> None:
    """Refuse options, or all of some sections, that are not at their defaults."""
    ours = to_dict(Config())
    for section, options in to_dict(given).items():
        for option, value in options.items():
            name = f"{section}.{option}"
            is_theirs = name in ONE_SPLIT and value == 1
            if _is_of(name, names) and value != ours[section].get(option) and not is_theirs:
                shown = f"method={value}" if name == "method.name" else name
                raise InputError(f"`{shown}` is not for {what}", "drop it")


def refuse_beside_encoder(
    given: Config,
    pretrained: Config,
    n_train: int,
    said: Collection[str] = (),
    names: Collection[str] = OF_ENCODER,
) -> None:
    """Refuse options that a given encoder has otherwise, as they would be left unread.

    What is at its default stands for what the encoder has, unless it is `said` by name; so does
    what comes to the same on the encoder's `n_train` samples.
    """
    own, method = pretrained.method.name, given.method.name
    if method not in (own, Config().method.name):
        raise InputError(f"`method={method}`, but the encoders are of {own}", "drop `method`")
    ours, theirs = to_dict(with_method(Config(), method)), to_dict(pretrained)
    try:
        comes_to = to_dict(resolve(given, n_train))
    except InputError:  # it is about options that the encoder has otherwise
        comes_to = to_dict(given)
    for section, options in to_dict(given).items():
        for option, value in options.items():
            name = f"{section}.{option}"
            if not _is_of(name, names) or name == "method.name":
                continue
            has = theirs[section].get(option)
            is_said = name in said or value != ours[section][option]
            if is_said and has not in (value, comes_to[section][option]):
                found = f"`{name}={value}` is not for given encoders, which were pretrained with"
                raise InputError(f"{found} {has}", "drop it")


def refuse_splits(given: Config, splits: int | None) -> None:
    """Refuse several splits beside given encoders."""
    if splits is not None or given.split.n_splits not in (1, Config().split.n_splits):
        raise InputError("`splits` is not for given encoders, which are of one split", "drop it")


def refuse_counts(given: Config, pretrained: Config, counts: Mapping[str, Any]) -> None:
    """Refuse seeds and shards beside the encoder of one seed."""
    said = {"seeds": counts["seeds"] if counts["seeds"] != 1 else 0, "shard": counts["shard"]}
    if given.run.seeds not in (1, Config().run.seeds, pretrained.run.seeds):
        said.setdefault("run.seeds", given.run.seeds)
    for name, value in said.items():
        if value:
            found = f"`{name}={value}` is not for a single encoder, which brings its own seed"
            raise InputError(found, "drop it, or name the run folder with all of them")


def refuse_beside_method(given: Config, method: str, *, is_asked: bool) -> None:
    """Refuse options of a method and its views where another method, with its own, is asked for."""
    ours = to_dict(with_method(Config(), given.method.name))
    for section in ("method", "augment"):
        for option, value in to_dict(given)[section].items():
            if is_asked and value != ours[section][option]:
                raise InputError(
                    f"`{section}.{option}={value}` is of {given.method.name}, and "
                    f"`method={method}` brings its own options and views",
                    f"drop it, or pass it in a `config` of {method}",
                )
