"""Dirty sources and samples of another laboratory are refused before a fit."""

import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from jaxssl.config import NormalizeConfig
from jaxssl.data.family import Cohort, cohorts_in, join
from jaxssl.data.normalize import fit_normalizer
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.prepared import record_of
from jaxssl.studies import source as sources
from jaxssl.studies.cohorts import possible_sets
from jaxssl.studies.encoders import with_data
from jaxssl.studies.progress import SILENT
from jaxssl.studies.source import Asked, read_given
from jaxssl.types import InputError

CONFIG = with_data(sources.Config(), label="class")


def samples(prefix="s", n=40, n_genes=60, seed=0, **obs):
    x = np.random.default_rng(seed).normal(8, 2, (n, n_genes)).astype(np.float32)
    table = pd.DataFrame(obs, index=[f"{prefix}_{i}" for i in range(n)])
    made = AnnData(x, table, uns={"jaxssl": {"scale": "log2", "label": "class"}})
    made.var_names = [f"g{i}" for i in range(n_genes)]
    return made


def labelled(**obs):
    return samples(**{"class": np.resize(["sick", "well"], 40), **obs})


NEW = samples("new", seed=1)


def given(source=None, data=NEW, batch="", classifier=None):
    source = labelled() if source is None else source
    return read_given(Asked(data, source, classifier, "class", batch, 1), SILENT)


def refused(match, **words):
    with pytest.raises(InputError, match=match):
        given(**words).codes()


def test_names_that_stand_twice_are_refused():
    twice = NEW.copy()
    twice.var_names = ["g0", *twice.var_names[:-1]]
    refused("1 genes bear the name of another", data=twice)
    twice = NEW.copy()
    twice.obs_names = ["new_0", *twice.obs_names[:-1]]
    refused("1 samples bear the name of another", data=twice)
    refused("leave them out, or rename them if they are others", data=samples(seed=1))


def test_one_gene_is_too_few_to_join_cohorts_by():
    one, other = cohorts_in(labelled(), CONFIG, "a")[0], cohorts_in(labelled(), CONFIG, "b")[0]
    for n, match in ((0, "a and b have no gene in common"), (1, "a and b have one gene in common")):
        few = other._replace(genes=np.array([f"g{i - 60 + n}" for i in range(60)], object))
        with pytest.raises(InputError, match=match):
            join([one, few])
    flat = np.where(np.arange(60) < 59, 3, other.expression)
    with pytest.raises(InputError, match="one gene varies in each of a and b"):
        join([one, other._replace(expression=flat.astype(np.float32))])


def test_a_class_with_hardly_a_label_is_refused_or_left_out_as_on_record():
    rare = labelled(**{"class": ["odd", *np.resize(["sick", "well"], 39)]})
    refused("1 of 3 classes of the source have fewer than 3 labels, .*: odd 1", source=rare)
    rare.uns["jaxssl"]["min_class_size"] = 3
    codes, classes = given(rare).codes()
    assert classes == ("sick", "well")
    assert codes[0] == -1
    refused("40 of 40 classes", source=labelled(**{"class": np.arange(40) / 7}))


def test_labels_that_say_that_nothing_is_known_are_warned_of():
    unknown = labelled(**{"class": np.resize(["sick", "well", "not available"], 40)})
    with pytest.warns(UserWarning, match="13 samples are of the class 'not available'; if their"):
        given(unknown)


def test_a_column_on_record_that_names_no_cohorts_leaves_the_source_one():
    for plates in (np.arange(40) // 3, ["a"] * 39 + [""], ["a"] * 39 + ["b"]):
        plated = labelled(plate=list(map(str, plates)))
        plated.uns["jaxssl"]["batch"] = "plate"
        with pytest.warns(UserWarning, match="the source is taken as one cohort; name their col"):
            found = given(plated)
        assert [cohort.name for cohort in found.cohorts] == ["source"]
        refused("cohorts? .*", source=plated, batch="plate")
    refused("there is no column 'site'", batch="site")


def test_samples_of_several_laboratories_are_told_of():
    several = NEW.copy()
    several.obs["site"] = np.repeat(["a", "b"], 20)
    several.uns["jaxssl"]["batch"] = "site"
    with pytest.warns(UserWarning, match=r"'site' has 2 values .* adapt to each by itself"):
        given(data=several)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given()


def classifier_of(ids, monkeypatch, path=""):
    """A classifier that says of which samples its labels were."""
    config = with_data(sources.Config(), label="class", path=path)
    provenance = {"labelled_ids": record_of(ids, np.arange(len(ids)))}
    x, genes = np.asarray(NEW.X), NEW.var_names.to_numpy()
    normalizer = fit_normalizer(x, genes, NormalizeConfig(n_components=5), "log2")
    bundle = EncoderBundle(config, normalizer, {}, provenance)
    monkeypatch.setattr(sources, "read_classifier", lambda _: bundle)
    return bundle


def test_labels_that_a_classifier_was_not_given_are_not_used_unasked(monkeypatch, tmp_path):
    own = labelled()
    clf = classifier_of(own.obs_names[:10].to_numpy(), monkeypatch)
    assert given(own, classifier=clf).is_used.sum() == 10
    clf = classifier_of(np.array(["x_1", "x_2"], object), monkeypatch)
    with pytest.warns(UserWarning, match="no sample of the source bears .*: all labels"):
        assert given(own, classifier=clf).is_used.all()
    own.write_h5ad(tmp_path / "own.h5ad")
    clf = classifier_of(np.array(["x_1"], object), monkeypatch, str(tmp_path / "own.h5ad"))
    with pytest.raises(InputError, match="so the file is another by now"):
        read_given(Asked(NEW, None, clf, "", "", 1), SILENT)


def test_no_transfer_is_refused_with_the_labels_as_they_are_written():
    def cohort(name, labels, seed):
        x = np.random.default_rng(seed).normal(size=(20, 9)).astype(np.float32)
        return Cohort(name, x, np.arange(9).astype(str), np.resize(labels, 20), "log2")

    cohorts = [cohort("a", ["0", "1"], 0), cohort("b", ["0.0", "1.0"], 1)]
    with pytest.raises(InputError, match=r"a has '0', '1'; b has '0\.0', '1\.0'; name another"):
        possible_sets(cohorts, "pairs")
