"""Bundles: what comes back is what went in, or an error that names what is wrong."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import Config, EncoderConfig, from_dict, to_dict
from jaxssl.data.normalize import fit_normalizer, normalize
from jaxssl.engine.bundle import (
    EncoderBundle,
    load_bundle,
    save_bundle,
    usable,
)
from jaxssl.engine.description import hash_of_description, hash_of_genes
from jaxssl.engine.diagnose import DIVERGED
from jaxssl.engine.embed import embed
from jaxssl.engine.leaves import flatten, unflatten
from jaxssl.evaluation.classifier import predict
from jaxssl.model import make_encoder
from jaxssl.studies.encoders import read_encoder
from jaxssl.types import InputError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", params=["spectral", "genes"])
def bundle(request):
    config = Config()
    config.encoder.hidden = (8, 4)
    config.normalize.input = request.param
    config.normalize.n_components = 3
    x = RNG.normal(size=(30, 12)).astype(np.float32)
    normalizer = fit_normalizer(x, [f"g{i}" for i in range(12)], config.normalize, "counts")
    n_features = 12 if normalizer.rotation is None else 3
    params = make_encoder(EncoderConfig((8, 4), "layer"), "float32").init(
        jax.random.key(0), jnp.zeros((1, n_features))
    )
    return EncoderBundle(config, normalizer, {"encoder": jax.device_get(params)}, {"seed": 3})


@pytest.fixture
def saved(bundle, tmp_path):
    save_bundle(tmp_path / "seed_003", bundle)
    return tmp_path / "seed_003"


def assert_same(loaded, bundle):
    jax.tree.map(np.testing.assert_array_equal, loaded.params, bundle.params)
    for field in dataclasses.fields(bundle.normalizer):
        np.testing.assert_array_equal(
            getattr(loaded.normalizer, field.name), getattr(bundle.normalizer, field.name)
        )
    assert to_dict(loaded.config) == to_dict(bundle.config)
    assert loaded.provenance == bundle.provenance


def test_a_bundle_survives_the_round_trip(bundle, saved):
    assert_same(load_bundle(saved), bundle)


def edit(saved, change, signed=True):
    """Change the description; signed, it is as its writer would have left it."""
    file = saved / "bundle.json"
    description = json.loads(file.read_text())
    change(description)
    if signed:
        description["sha256"] = hash_of_description(description)
    file.write_text(json.dumps(description))


def test_a_leaf_of_another_shape_is_named(saved):
    def widen(description):
        description["leaves"]["params.encoder.layer_1.dense.kernel"][0] = [8, 5]

    edit(saved, widen)
    with pytest.raises(
        InputError, match=r"params\.encoder\.layer_1\.dense\.kernel is float32\[8, 4\]"
    ):
        load_bundle(saved)


def test_a_leaf_of_another_dtype_is_named(saved):
    def narrow(description):
        description["leaves"]["normalizer.mean"][1] = "float16"

    edit(saved, narrow)
    with pytest.raises(InputError, match=r"normalizer\.mean is float32\[12\], expected float16"):
        load_bundle(saved)


def test_missing_and_unexpected_leaves_are_named(saved):
    edit(saved, lambda d: d["leaves"].update({"params.encoder.layer_9.bias": [[1], "float32", ""]}))
    with pytest.raises(InputError, match=r"lacks the array params\.encoder\.layer_9\.bias"):
        load_bundle(saved)
    edit(saved, lambda d: d["leaves"].pop("params.encoder.layer_9.bias"))
    edit(saved, lambda d: d["leaves"].pop("normalizer.mean"))
    with pytest.raises(InputError, match=r"unexpected array normalizer\.mean"):
        load_bundle(saved)


def test_a_config_of_other_widths_is_refused(saved):
    edit(saved, lambda d: d["config"]["encoder"].update(hidden=[8, 6]))
    with pytest.raises(InputError, match="encoder layer 1 is"):
        load_bundle(saved)


def test_a_gene_too_few_is_refused(saved):
    genes = (saved / "genes.txt").read_text().splitlines()[:-1]
    (saved / "genes.txt").write_text("\n".join(genes) + "\n")
    edit(saved, lambda d: d.update(genes_sha256=hash_of_genes(tuple(genes))))
    with pytest.raises(InputError, match="names 11 genes"):
        load_bundle(saved)


def test_a_newer_format_is_refused(saved):
    edit(saved, lambda d: d.update(format=99))
    with pytest.raises(InputError, match="format 99, this version reads format 2"):
        load_bundle(saved)


def test_an_unknown_option_is_refused(saved):
    edit(saved, lambda d: d["config"]["method"].update(sparkle=1))
    with pytest.raises(InputError, match=r"method\.sparkle"):
        load_bundle(saved)


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="unknown method 'swan'; choose one of swav"):
        from_dict({"method": {"name": "swan"}})


def test_the_split_that_was_called_study_is_read_as_stratified():
    stored = to_dict(Config())
    stored["split"]["protocol"] = "study"
    assert from_dict(stored).split.protocol == "stratified"


def test_an_encoder_is_no_classifier(bundle):
    with pytest.raises(InputError, match=r"not a classifier; make one with `finetune\(\)`"):
        predict(bundle, np.zeros((1, 3), np.float32))


def test_what_is_no_bundle_says_so(tmp_path):
    with pytest.raises(InputError, match="is no bundle"):
        load_bundle(tmp_path)


def test_missing_arrays_are_an_input_error(saved):
    for file in sorted((saved / "arrays").rglob("*"), reverse=True):
        if file.is_file():
            file.unlink()
    with pytest.raises(InputError, match="cannot be restored"):
        load_bundle(saved)


def test_dotted_paths_are_inverted():
    tree = {"a": {"b": np.ones(2), "c": {"d": np.zeros(())}}}
    assert set(flatten(tree)) == {"a.b", "a.c.d"}
    jax.tree.map(np.testing.assert_array_equal, unflatten(flatten(tree)), tree)


def test_a_bundle_of_format_2_is_read_for_ever():
    folder = Path(__file__).parent / "bundles"
    bundle = load_bundle(folder / "format_2")
    x = np.loadtxt(folder / "expression.csv", delimiter=",", dtype=np.float32)
    embedding = embed(bundle, normalize(bundle.normalizer, x, np.arange(24)))
    expected = np.loadtxt(folder / "embedding.csv", delimiter=",")
    np.testing.assert_allclose(embedding, expected, atol=1e-4)


def test_an_encoder_that_collapsed_is_warned_of_where_it_is_to_be_used():
    with pytest.warns(UserWarning, match="is not healthy.*seed 0: collapsed"):
        read_encoder(Path(__file__).parent / "bundles" / "format_2")


def test_a_changed_option_or_gene_is_refused(saved):
    text = (saved / "genes.txt").read_text()
    (saved / "genes.txt").write_text(text.replace("g3\n", "g33\n"))
    with pytest.raises(InputError, match=r"genes\.txt is not as it was written"):
        load_bundle(saved)
    (saved / "genes.txt").write_text(text)
    edit(saved, lambda d: d["config"]["augment"].update(noise=9.0), signed=False)
    with pytest.raises(InputError, match=r"bundle\.json is not as it was written"):
        load_bundle(saved)


def test_a_changed_weight_is_refused_by_name(saved):
    def forget(description):
        leaf = description["leaves"]["params.encoder.layer_0.dense.kernel"]
        leaf[2] = "0" * 64

    edit(saved, forget)
    with pytest.raises(InputError, match=r"layer_0\.dense\.kernel is damaged"):
        load_bundle(saved)


def test_a_link_out_of_a_bundle_is_refused(saved, tmp_path):
    (saved / "genes.txt").rename(tmp_path / "genes.txt")
    (saved / "genes.txt").symlink_to(tmp_path / "genes.txt")
    with pytest.raises(InputError, match="is a link"):
        load_bundle(saved)


def test_an_encoder_that_is_no_number_is_refused_unless_its_training_diverged(bundle, tmp_path):
    ill = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), bundle.params)
    save_bundle(tmp_path / "a", dataclasses.replace(bundle, params=ill))
    with pytest.raises(InputError, match="no numbers"):
        load_bundle(tmp_path / "a")
    origin = {"seed": 3, "status": DIVERGED, "cause": "step 5", "fix": "lower the rate"}
    save_bundle(tmp_path / "b", dataclasses.replace(bundle, params=ill, provenance=origin))
    with pytest.raises(InputError, match="diverged"):
        usable(load_bundle(tmp_path / "b"))


def mutations(folder, count):
    """Copies of a bundle with one bit of one file flipped, or one file cut or emptied."""
    rng = np.random.default_rng(0)
    there = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    files = sorted(path.relative_to(folder) for path in there)
    for i in range(count):
        copy = folder.with_name(f"mutant_{i}")
        shutil.copytree(folder, copy)
        file = copy / files[rng.integers(len(files))]
        content = bytearray(file.read_bytes())
        place = int(rng.integers(len(content)))
        if rng.random() < 0.7:
            content[place] ^= 1 << int(rng.integers(8))
        else:
            content = content[:place]
        file.write_bytes(content)
        yield copy


# of a read that fails, orbax leaves tasks that no one awaits
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_flipped_bit_or_a_cut_file_is_refused_or_changes_nothing(bundle, saved):
    n_refused = 0
    for mutant in mutations(saved, int(os.environ.get("JAXSSL_BUNDLE_FUZZ", "60"))):
        try:
            loaded = load_bundle(mutant)
        except InputError:
            n_refused += 1
            continue
        finally:
            shutil.rmtree(mutant)
        assert_same(loaded, bundle)
    assert n_refused > 0
