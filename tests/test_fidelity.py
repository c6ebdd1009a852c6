"""configs/study_tcga.py does what the study did, as far as its report says."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import study_microarray, study_tcga
from configs.study_protocol import PERCENT
from jaxssl.config import SplitConfig
from jaxssl.data.labels import label_budget, label_order
from jaxssl.data.split import make_split
from jaxssl.evaluation.finetune import Labelled, Networks, finetune, transfer
from jaxssl.evaluation.network import make_recipe
from jaxssl.methods.augment import make_views
from jaxssl.model import make_encoder, make_head
from jaxssl.types import Pool

CONFIG = study_tcga.get_config()
CLASSES = {
    **{"BRCA": 1089, "UCEC": 544, "KIRC": 531, "LGG": 529, "LUAD": 515, "THCA": 510},
    **{"HNSC": 502, "LUSC": 501, "PRAD": 496, "SKCM": 471, "COAD": 458, "BLCA": 408},
    **{"OV": 379, "STAD": 375, "LIHC": 374, "CESC": 305, "KIRP": 289, "SARC": 263},
    **{"LAML": 151, "normal": 662},
}
CODES = np.repeat(np.arange(len(CLASSES)), list(CLASSES.values()))


@pytest.fixture(scope="module")
def training():
    options = SplitConfig(validation_share=0.15, test_share=0.15, protocol="stratified")
    none = np.full(len(CODES), "", dtype=object)
    split = make_split(CODES, none, none, list(CLASSES), options)
    assert [len(part) for part in split] == [6546, 1403, 1403]
    return CODES[split.train]


def test_parts_keep_the_proportions_of_the_classes(training):
    np.testing.assert_allclose(np.bincount(training), 0.7 * np.bincount(CODES), atol=1)


@pytest.mark.parametrize("percent", PERCENT[::11])
def test_reduced_training_sets_keep_the_proportions_of_the_classes(training, percent):
    n = label_budget(percent / 100, len(training), len(CLASSES))
    kept = training[label_order(training, len(CLASSES), seed=3)[:n]]
    expected = np.maximum(percent / 100 * np.bincount(training), 1)
    assert np.abs(np.bincount(kept, minlength=len(CLASSES)) - expected).max() < 2


def views_of(augment, seed):
    x = jnp.full((200, 60), 50.0)
    return np.asarray(make_views(augment)(jax.random.key(seed), x, jnp.arange(200), Pool(x, {})).x)


def test_a_mini_batch_loses_one_subset_of_genes_which_normal_draws_replace():
    first, second = views_of(CONFIG.augment, 0)
    masked = first != 50
    assert (masked == masked[:1]).all()
    assert masked[0].sum() == round(CONFIG.augment.mask_rate * 60)
    assert (masked[0] != (second[0] != 50)).any(), "every view has a subset of its own"
    assert (masked[0] != (views_of(CONFIG.augment, 1)[0][0] != 50)).any(), "and every batch"
    drawn = first[masked]
    assert abs(drawn.mean()) < 5 / np.sqrt(drawn.size)
    assert abs(drawn.std() - 1) < 5 / np.sqrt(2 * drawn.size)


def test_masking_a_subset_per_sample_is_another_thing():
    def masked_per_gene(view):
        return (view != 50).mean(axis=0)

    assert set(masked_per_gene(views_of(CONFIG.augment, 0)[0])) == {0.0, 1.0}
    per_sample = masked_per_gene(views_of(replace(CONFIG.augment, mask_per="sample"), 0)[0])
    assert ((per_sample > 0.3) & (per_sample < 0.7)).all()


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("config", [CONFIG, study_microarray.get_config()])
def test_fine_tuning_moves_all_transferred_layers_from_a_random_head(config):
    options, n_layers = config.finetune, len(config.encoder.hidden)
    assert (options.transfer_layers, options.freeze_layers, n_layers) == (3, 0, 3)
    assert (options.batch_size, options.learning_rate, options.schedule) == (256, 4e-4, "constant")
    assert options.scratch_learning_rate == options.learning_rate
    recipe = make_recipe("swav", options, n_layers)._replace(steps=3)
    assert recipe.probe_steps == 0
    np.testing.assert_array_equal(recipe.layer_rates, 1)
    encoder, head = make_encoder(config.encoder, "float32"), make_head("linear", 0, 3, "float32")
    x = jax.random.normal(jax.random.key(0), (30, 7))
    pretrained, fresh = (encoder.init(jax.random.key(i), x) for i in (1, 2))
    start = transfer(pretrained, fresh, options.transfer_layers)
    assert all(
        (a == b).all()
        for a, b in zip(jax.tree.leaves(start), jax.tree.leaves(pretrained), strict=True)
    )
    labelled = Labelled(x, jnp.arange(30) % 3, jnp.arange(30), jnp.int32(30))
    tune = jax.jit(partial(finetune, Networks(encoder, head, 16)))
    untouched = tune(jax.random.key(4), start, labelled, recipe._replace(steps=0))
    assert float(jnp.std(untouched["head"]["output"]["kernel"])) > 0.05
    trained = tune(jax.random.key(4), start, labelled, recipe)["encoder"]
    for name in start:
        assert (trained[name]["dense"]["kernel"] != start[name]["dense"]["kernel"]).any(), name
