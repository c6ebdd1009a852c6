"""The study from Python: one way through, in memory, on disk and from the command line alike."""

import shutil
import subprocess
import sys
import warnings
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
from verbs import PRETRAIN, ROOT, TINY, launch

import jaxssl
from jaxssl.config import Config, to_dict, with_method, with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.bundle import save_bundle
from jaxssl.evaluation import ensembles
from jaxssl.evaluation.ensembles import alike
from jaxssl.evaluation.sweep import RESULT_COLUMNS
from jaxssl.runs.output import Output
from jaxssl.studies.encoders import read_encoders
from jaxssl.studies.job import make_job
from jaxssl.studies.progress import Event
from jaxssl.types import InputError, Normalizer, Stopped

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings(
        "ignore:.*(collapsed|are few|no group column|own labels|than chance)"
    ),
]
ARMS = ("majority", "scratch", "pca_logreg", "swav")


def tiny_config() -> Config:
    """What `verbs.TINY` says on the command line."""
    config = Config()
    config.pretrain.n_steps = 80
    config.encoder.hidden = (32, 16)
    config.finetune.transfer_layers = 2
    config.finetune.scratch_steps = 20
    config.finetune.n_steps = 10
    config.finetune.probe_steps = 20
    return config


def study(out=None, seeds=2, **options):
    options = {"arms": ARMS, "shares": (0.1, 1.0), "progress": False} | options
    return jaxssl.study("synthetic", out=out, seeds=seeds, config=tiny_config(), **options)


def quietly(out=None):
    with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return study(out)


@pytest.fixture(scope="module")
def result():
    """A study in memory."""
    return quietly()


@pytest.fixture(scope="module")
def in_folder(tmp_path_factory):
    """The same study in a folder, which tests read and of which they change copies."""
    return quietly(tmp_path_factory.mktemp("runs") / "run")


def rows(found):
    return found.results.drop(columns=["fit_seconds"])


def test_in_memory_in_a_folder_and_as_a_verb_a_study_gives_the_same_rows(
    result, in_folder, tmp_path
):
    launch("study", *TINY, f"--out={tmp_path / 'verb'}")
    verb = jaxssl.open_study(tmp_path / "verb")
    for other in (in_folder, verb):
        pd.testing.assert_frame_equal(rows(other), rows(result), check_exact=True)
        pd.testing.assert_frame_equal(other.endpoint, result.endpoint, check_exact=True)
        assert other.headline == result.headline
    for seed, bundle in in_folder.encoders.items():
        for fresh, read in zip(
            np.ravel(bundle.params["encoder"]["layer_0"]["dense"]["kernel"]),
            np.ravel(verb.encoders[seed].params["encoder"]["layer_0"]["dense"]["kernel"]),
            strict=True,
        ):
            assert fresh == read


def test_a_result_tells_all_that_a_folder_holds(result, tmp_path):
    assert list(result.results.columns) == RESULT_COLUMNS
    assert set(result.statistics["arm"]) == {"swav"}
    assert result.seeds == [0, 1] == sorted(result.encoders)
    table = result.predictions("swav", 0.1)
    assert set(table["seed"]) == {0, 1}
    with pytest.raises(InputError, match=r"no share 0.5 was compared; choose among 0.1, 1.0"):
        result.predictions("swav", 0.5)
    with pytest.raises(InputError, match="no arm swan was compared"):
        result.predictions("swan", 0.1)
    out = result.report(tmp_path / "report.html")
    assert out.stat().st_size > 10_000
    page = out.read_text().replace("&#39;", "'")
    for sentence in result.headline.split(" Of "):  # each in a line of its own
        assert sentence in page


def test_a_study_goes_on_where_it_was_stopped(result, tmp_path):
    events: list[Event] = []
    with pytest.raises(Stopped):
        study(tmp_path / "run", progress=events.append, stop=lambda: True)
    assert [event.done for event in events if event.unit == "epoch"] == [1]
    resumed = study(tmp_path / "run", resume=True)
    pd.testing.assert_frame_equal(rows(resumed), rows(result), check_exact=True)


def test_best_has_the_encoders_of_the_study_where_they_are_pretrained_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(ensembles, "N_ENCODERS", 2)
    arms = ["majority", "swav", "best"]
    one = {"seeds": 1, "shares": (0.1,)}
    shared = study(tmp_path / "run", arms=arms, **one)
    again = study(tmp_path / "run", arms=arms, resume=True, **one)
    pd.testing.assert_frame_equal(again.results, shared.results, check_exact=True)
    bundles = read_encoders(tmp_path / "run", [0])
    config, n_train = bundles[0].config, bundles[0].provenance["n_train"]
    assert alike(config, n_train, bundles.values()).keys() == {("swav", 0)}
    for name, value in {"augment.noise": 0.5, "optimizer.learning_rate": 0.1}.items():
        other = with_options(config, {name: value})
        assert not alike(config, n_train, [replace(bundles[0], config=other)])
    alone = study(arms=["majority", "best"], **one)
    of_best = [
        rows(found).query("arm == 'best'").reset_index(drop=True) for found in (shared, alone)
    ]
    pd.testing.assert_frame_equal(*of_best)


def test_more_seeds_and_arms_join_those_that_are_there(result, tmp_path):
    study(tmp_path / "run", seeds=1, arms=["majority", "swav"])
    more = study(tmp_path / "run", resume=True)
    keys = ["arm", "share", "seed", "part", "metric"]
    a, b = (found.results.set_index(keys)["value"].sort_index() for found in (more, result))
    pd.testing.assert_series_equal(a, b, atol=1e-5)
    assert len(more.predictions("swav", 0.1)) == len(result.predictions("swav", 0.1))


def test_encoders_at_hand_are_compared_without_pretraining(in_folder):
    [run] = in_folder.folders
    # a bundle brings its seed with it
    for encoder, seeds in ((run, [0, 1]), (run / "encoder" / "seed_001", [1])):
        swept = study(encoder=encoder, arms=["swav"], seeds=2 if len(seeds) == 2 else 0)
        expected = rows(in_folder).query("arm == 'swav' and seed in @seeds")
        pd.testing.assert_frame_equal(
            rows(swept), expected.reset_index(drop=True), check_exact=len(seeds) == 2
        )


def test_encoders_of_two_normalizations_are_not_compared_as_one(in_folder, tmp_path):
    [run] = in_folder.folders
    folder = shutil.copytree(run, tmp_path / "run") / "encoder" / "seed_001"
    bundle = jaxssl.load_bundle(folder)
    flipped = replace(bundle.normalizer, rotation=-bundle.normalizer.rotation)
    save_bundle(folder, replace(bundle, normalizer=flipped))
    with pytest.raises(InputError, match="seed 1 has another normalizer than the encoders beside"):
        study(encoder=tmp_path / "run", arms=["swav"])


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ({"resume": True}, "`resume` and `overwrite` are of a folder"),
        ({"encoder": "runs/x", "splits": 2}, "`encoder=runs/x` does not exist"),
        ({"arms": "logref"}, "unknown arm 'logref'"),
        ({"shard": "2/2"}, "write i/n with 0 <= i < n"),
    ],
)
def test_what_python_users_mistype_is_told_in_their_words(said, finding):
    with pytest.raises(InputError, match=finding):
        jaxssl.study(**({"data": "synthetic", "progress": False} | said))


MISTAKES = """
import jaxssl, numpy
for said in ({"seeds": 2.5}, {"shares": ["few"]}, {"config": "demo"}, {"data": numpy.ones((4, 4))}):
    try:
        jaxssl.study(**({"data": "synthetic", "progress": False} | said))
    except jaxssl.InputError as error:
        print(error)
"""


def test_a_value_of_another_type_is_told_and_no_traceback_of_ours():
    done = subprocess.run(  # in a process whose annotations are not checked, as a user's are not
        [sys.executable, "-c", MISTAKES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "`seeds=2.5` is of type float; pass a whole number",
        "`shares=few` is of type str; pass a number (one, or a list of them)",
        "`config=demo` is of type str; pass a jaxssl.Config",
        "`data` is of type ndarray; pass AnnData (`read()` makes one of a file) or text or a path",
    ]


def test_leaks_are_refused_from_python_too(tmp_path):
    config = tiny_config()
    config.split.protocol = "stratified"
    arguments = {"config": config, "seeds": 1, "arms": ["majority"], "shares": [1.0]}
    with pytest.raises(InputError, match=r"leak \(groups\).*`allow_leaks=groups`"):
        jaxssl.study("synthetic", out=tmp_path / "run", progress=False, **arguments)
    assert not (tmp_path / "run").exists()
    allowed = jaxssl.study("synthetic", allow_leaks=["groups"], progress=False, **arguments)
    assert "leak (groups)" in allowed.summary["allowed_leaks"][0]


def test_a_study_leaves_the_callers_configuration_and_data_alone():
    config, adata = tiny_config(), make_synthetic(n_samples=200, n_genes=60, n_classes=4)
    before, facts = to_dict(config), dict(adata.uns["jaxssl"])
    found = jaxssl.study(
        adata, arms=["majority"], shares=[0.5], seeds=2, config=config, progress=False
    )
    assert to_dict(config) == before
    assert dict(adata.uns["jaxssl"]) == facts
    assert set(found.results["seed"]) == {0, 1}


def test_a_study_takes_a_data_set_without_import_record_and_nan_labels():
    bare = make_synthetic(n_samples=200, n_genes=60, n_classes=4)
    del bare.uns["jaxssl"]
    bare.obs["kind"] = bare.obs["class"].astype(object)
    bare.obs.iloc[:20, bare.obs.columns.get_loc("kind")] = np.nan
    found = jaxssl.study(
        bare, label="kind", arms=["majority"], shares=[1.0], seeds=1, config=tiny_config(),
        progress=False,
    )  # fmt: skip
    assert found.results["n_labelled"].max() < 0.75 * 180


def test_python_pretrains_finetunes_and_predicts_as_the_verbs_do(tmp_path):
    quiet = {"config": tiny_config(), "progress": False}
    jaxssl.pretrain("synthetic", out=tmp_path / "python", seeds=2, **quiet)
    launch("pretrain", *PRETRAIN, f"--out={tmp_path / 'verb'}")
    one, other = (
        jaxssl.load_bundle(tmp_path / face / "encoder" / "seed_001") for face in ("python", "verb")
    )
    jax.tree.map(np.testing.assert_array_equal, one.params, other.params)
    how = {"share": 0.5, "data": "synthetic"}
    jaxssl.finetune(tmp_path / "verb", **how, out=tmp_path / "clf_python", progress=False)
    words = [f"--{name}={value}" for name, value in how.items()]
    launch("finetune", f"--encoder={tmp_path / 'verb'}", *words, f"--out={tmp_path / 'clf_verb'}")
    held_out = [
        pd.read_parquet(tmp_path / f"clf_{f}/predictions.parquet") for f in ("python", "verb")
    ]
    pd.testing.assert_frame_equal(*held_out, check_exact=True)
    new = make_synthetic()[:20].copy()
    with pytest.warns(UserWarning, match="the classifier was trained on"):
        found = jaxssl.predict(tmp_path / "clf_python", new)
    write_h5ad(new, tmp_path / "new.h5ad")
    words = [f"--data={tmp_path / 'new.h5ad'}", f"--out={tmp_path / 'p.parquet'}"]
    launch("predict", f"--classifier={tmp_path / 'clf_verb'}", *words)
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "p.parquet"), check_exact=True)


def test_arms_of_an_encoder_follow_its_method(monkeypatch):
    pretrained = with_method(Config(), "simclr")
    normalizer = Normalizer((), "log2", *[np.empty(0)] * 4)
    of_seed, output = jaxssl.EncoderBundle(pretrained, normalizer, {}, {"seed": 0}), Output("")
    monkeypatch.setattr("jaxssl.studies.encoders.read_encoders", lambda folder, seeds: {0: of_seed})
    own = make_job(None, None, output, encoder="a/run").config
    assert own.sweep.arms == (*Config().sweep.arms[:-1], "simclr")
    assert Config().sweep.arms[-1] == "swav"
    assert own.method == pretrained.method
    asked = make_job(None, None, output, encoder="a/run", arms=["selftrain", "swav"]).config
    assert asked.sweep.arms == ("simclr+selftrain", "swav"), "what is asked for stays"
    several = Config()
    several.sweep.arms, pretrained.split.n_splits = ("scratch", "byol", "swav"), 5
    given = make_job(several, None, output, encoder="a/run").config
    assert given.sweep.arms == ("scratch", "simclr")
    assert given.split.n_splits == 1, "encoders are of one split"


def test_every_public_name_is_there_and_explains_itself():
    for name in jaxssl.__all__:
        found = getattr(jaxssl, name)
        assert found.__doc__, name
        if callable(found) and not isinstance(found, type):
            assert "Args:" in found.__doc__, name
            assert "Returns:" in found.__doc__, name
            assert "Example" in found.__doc__, name


def test_an_audit_of_too_few_comparisons_or_levels_is_refused_before_anything_is_written(tmp_path):
    for wrong in ({"n_comparisons": 2}, {"what": "variance", "levels": (5, 5)}, {"what": "type2"}):
        with pytest.raises(InputError, match=r"n_comparisons=2|levels=5,5|what=type2"):
            jaxssl.audit("synthetic", out=tmp_path / "audit", progress=False, **wrong)
    assert not (tmp_path / "audit").exists()
