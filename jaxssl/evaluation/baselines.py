"""What a bioinformatician would use instead, on the same labels.

A baseline turns the labelled rows into class probabilities for other rows. What it has to choose,
it chooses by cross-validation on the labels at hand. None knows how common a class is beyond that:
class means, linear models and graphs count every class alike, whatever its number of labels;
`majority`, `knn` and `random_forest` count labels.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.special import softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.class_weight import compute_sample_weight

from jaxssl.evaluation.best import Asked, fit_best, nearest
from jaxssl.evaluation.clusters import beside_codes
from jaxssl.evaluation.graph import affinity, bridge
from jaxssl.evaluation.linear import held_out_of
from jaxssl.evaluation.once import once
from jaxssl.evaluation.paths import fit_paths, threads
from jaxssl.evaluation.problem import CLASSES, FitAll, Problem, of_known
from jaxssl.evaluation.spaces import Spaces, View, make_spaces
from jaxssl.evaluation.spreading import Lesson, choose_strength, spread, teach
from jaxssl.evaluation.trials import Task

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # of rows with mean square length 1
UNTUNED = 1e-3  # where no class has two labels: nothing to validate on, nor much to penalise
STUDENT_PENALTY = 0.3  # of `spread_selftrain`
NEIGHBOUR_FOLDS = 3
FEW_LABELS = "The least populated class|The number of unique classes is greater than 50%"
"""What scikit-learn warns of where labels are few, which is what is studied here (a regex)."""
NEIGHBOURS = (1, 3, 5, 10, 20)
N_TREES = 500


class Baseline(NamedTuple):
    """A classical arm: its fit, and which input it gets."""

    fit: FitAll
    input: str  # "genes": scaled genes; "features": what the encoder sees; "both"


def each(fit: Callable[[Problem], CLASSES]) -> FitAll:
    """A fit of one problem for several, a core each."""

    def fit_all(problems: Sequence[Problem]) -> list[CLASSES]:
        return threads(fit, [(problem,) for problem in problems])

    return fit_all


def majority(problem: Problem) -> CLASSES:
    """Class frequencies of the labels, for every sample."""
    _, counts = np.unique(problem.y, return_counts=True)
    return np.tile(counts / len(problem.y), (len(problem.held_out), 1))


def logistic_regressions(problems: Sequence[Problem]) -> list[CLASSES]:
    """Multinomial L2 logistic regression; classes count alike, and cross-validation penalises."""
    paths = fit_paths([task_of(problem) for problem in problems])
    return [
        of_known(path(problem.x[problem.held_out]), problem.y)
        for path, problem in zip(paths, problems, strict=True)
    ]


def task_of(problem: Problem) -> Task:
    """Its penalty by the mean recall of the classes with two labels or more, and their log loss.

    A class's single label is always among the fitted: no fold that leaves it out can find it.
    """
    x, y = problem.x[problem.labelled], problem.y
    counts = np.bincount(y)
    scored = counts[y] > 1
    size = np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1)) or 1.0
    folds, n_folds = held_out_of(y, problem.seed)
    relative = PENALTIES
    if not scored.any() or (counts > 0).sum() < 2:
        folds, relative = np.full(len(y), -1), (UNTUNED,)
    scored &= folds >= 0
    weights = np.zeros(len(y))
    if scored.any():  # of every class the same sum
        weights[scored] = compute_sample_weight("balanced", y[scored]) / scored.sum()
    penalties = [penalty * float(size) for penalty in relative]
    held_out = folds, n_folds, weights, penalties
    return Task(x, y, _n_classes(problem), *held_out, by_recall=True, solver=problem.solver)


def _n_classes(problem: Problem) -> int:
    return problem.n_classes or int(problem.y.max()) + 1


def nearest_centroid(problem: Problem) -> CLASSES:
    """The nearest class mean by cosine, about the mean of all training samples."""
    view = View(problem.x, problem.x[problem.train].mean(axis=0))
    known, y = np.unique(problem.y, return_inverse=True)
    return nearest(view, problem.labelled, y, len(known), problem.held_out)


def cluster_regressions(problems: Sequence[Problem]) -> list[CLASSES]:
    """`logistic_regressions` on soft codes of clusters of all training samples beside the rows.

    Clusters know no label; every class counts alike.
    """
    return logistic_regressions([p._replace(x=_beside_codes(p)) for p in problems])


def nearest_neighbours(problem: Problem) -> CLASSES:
    """Votes of the nearest labelled samples, by inverse distance; how many, by folds."""
    x, n_folds = problem.x[problem.labelled], count_folds(problem.y)
    model = KNeighborsClassifier(1, weights="distance")  # if there is nothing to validate on
    if n_folds > 1:
        fewest = len(x) - -(-len(x) // n_folds)  # labels of the smallest training fold
        grid = {"n_neighbors": [k for k in NEIGHBOURS if k <= fewest]}
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=problem.seed)
        model = GridSearchCV(model, grid, cv=folds)
    return model.fit(x, problem.y).predict_proba(problem.x[problem.held_out])


def label_spreading(problem: Problem) -> CLASSES:
    """Labels spread over the symmetric graph of nearest neighbours of all training samples.

    Zhou et al. 2003, Learning with local and global consistency; see `spreading`. Every class has
    the same mass, whatever its number of labels. A sample that no label reaches has all classes
    alike.
    """
    return _weights(problem) @ _spread(problem)


def spread_selftrains(problems: Sequence[Problem]) -> list[CLASSES]:
    """The mean of `label_spreading` and of logistic regression that learns from it, thrice.

    The regression is of all training samples on what the graph and the regression before say of
    them; every class counts alike.
    """
    of_graphs = threads(_spread, [(problem,) for problem in problems])
    lessons = [
        Lesson(problem.x[problem.train], of_graph, *_places(problem))
        for problem, of_graph in zip(problems, of_graphs, strict=True)
    ]
    is_alike = len({lesson.of_graph.shape[1] for lesson in lessons}) == 1  # as many classes in each
    taught = [
        student
        for some in ([lessons] if is_alike else [[lesson] for lesson in lessons])
        for student in teach(some, penalty=STUDENT_PENALTY)
    ]
    return [
        (_weights(own) @ of_graph + softmax(model.logits(own.x[own.held_out]), axis=1)) / 2
        for own, of_graph, (_, model) in zip(problems, of_graphs, taught, strict=True)
    ]


def pools(problems: Sequence[Problem]) -> list[CLASSES]:
    """What `best` is without encoders: class means of components, linear models on genes and on
    axes along which neighbours agree, and a graph, pooled by cross-validation.
    """
    asked = [
        Asked(spaces_of(p), p.labelled, p.y, _n_classes(p), p.solver, p.shared) for p in problems
    ]
    fitted = zip(fit_best(asked), problems, strict=True)
    return [of_known(probabilities, problem.y) for (probabilities, _), problem in fitted]


@once
def spaces_of(problem: Problem) -> Spaces:
    """What heads and graphs of `pool` see, and of `best` beside its encoders."""
    assert problem.genes is not None, "a baseline of both has them"
    spaces, _ = make_spaces(problem.x, problem.genes, problem.train, problem.held_out)
    return spaces


def _spread(problem: Problem) -> CLASSES:
    """What the graph says of the training samples."""
    graph, (places, y) = _graph(problem), _places(problem)
    strength = choose_strength(graph, places, y)
    return spread(graph, places, y, int(y.max()) + 1, strength=strength)


def _places(problem: Problem) -> tuple[Int[np.ndarray, " labelled"], Int[np.ndarray, " labelled"]]:
    """Positions of the labelled among the training rows, which are sorted, and their classes."""
    _, y = np.unique(problem.y, return_inverse=True)
    return np.searchsorted(problem.train, problem.labelled), y


@once
def _graph(problem: Problem) -> sparse.csr_array:
    """The graph of the training samples."""
    return affinity(problem.x[problem.train])


@once
def _weights(problem: Problem) -> sparse.csr_array:
    """Weights of the training samples for those that are held out."""
    return bridge(problem.x[problem.train], problem.x[problem.held_out])


@once
def _beside_codes(problem: Problem) -> Float[np.ndarray, "samples both"]:
    """Rows and their cluster codes."""
    return beside_codes(problem.x, problem.train)


def random_forest(problem: Problem) -> CLASSES:
    """A forest with scikit-learn's defaults but for its number of trees."""
    model = RandomForestClassifier(N_TREES, random_state=problem.seed)
    model.fit(problem.x[problem.labelled], problem.y)
    return np.asarray(model.predict_proba(problem.x[problem.held_out]))


def count_folds(y: Int[np.ndarray, " labelled"]) -> int:
    """As many as the largest class has labels, at most 3; one leaves nothing to validate on."""
    return min(NEIGHBOUR_FOLDS, int(np.bincount(y).max()))


BASELINES: dict[str, Baseline] = {
    "majority": Baseline(each(majority), "features"),
    "logreg": Baseline(logistic_regressions, "genes"),
    "pca_logreg": Baseline(logistic_regressions, "features"),
    "centroid": Baseline(each(nearest_centroid), "features"),
    "knn": Baseline(each(nearest_neighbours), "features"),
    "label_spreading": Baseline(each(label_spreading), "features"),
    "spread_selftrain": Baseline(spread_selftrains, "features"),
    "cluster_logreg": Baseline(cluster_regressions, "features"),
    "pool": Baseline(pools, "both"),
    "random_forest": Baseline(each(random_forest), "genes"),
}
