"""Arms without an encoder: what can be read off the measured features alone?

They are the ceiling and the control of every arm that has one: a linear probe on standardised features, and
gradient-boosted trees. Both take the corpus' side table ``features``, are fitted on the training part only, and
choose their one setting by the validation part's macro AUROC, as the probe of an embedding does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..corpus.tables import about_table
from ..errors import ColumnMissing
from ..physiology.similarity.standardise import Standardiser
from ..provenance import digest_json
from .bootstrap import macro_auroc
from .metrics import Array
from .probe import STRENGTHS, Probe, fit_probe

if TYPE_CHECKING:
    from ..corpus.shards import Corpus
    from .plan import ResolvedArm

FeatureReadout = Literal["linear", "trees"]

TREES: dict[str, Any] = {
    "learning_rate": 0.1,
    "max_iter": 200,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 5,
    "l2_regularization": 1.0,
    "max_features": 0.1,
    "early_stopping": False,
}
"""Of scikit-learn's ``HistGradientBoostingClassifier``: shallow trees, each split among a tenth of the features."""

LOOKS = (10, 20, 40, 70, 100, 150, 200)
"""Numbers of trees of which the validation part chooses one for all labels of a task."""


@dataclass(frozen=True)
class MeasuredFeatures:
    """The features of some records of a corpus.

    Attributes
    ----------
    rows : ndarray, int64, (N,)
        Rows of the corpus, rising.
    names : tuple of str, (F,)
    values : ndarray, float64, (N, F)
        NaN = not measured. Of a record with several windows the median over them.
    digest : str
        Of what made the table.
    """

    rows: NDArray[np.int64]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    digest: str


def measured_features(corpus: Corpus, records: Iterable[str]) -> MeasuredFeatures:
    """Read the side table ``features``; what it does not hold of these records is not measured.

    Raises
    ------
    ColumnMissing
        The corpus has none; names the command that makes it.
    """
    table = corpus.side("features")
    if table is None:
        raise ColumnMissing(
            f"an arm on measured features needs the table 'features', and this corpus has none: run "
            f"`ecgprior features {corpus.path}`"
        )
    rows = np.sort(np.asarray(corpus.rows(list(records)), dtype=np.int64))
    wanted = corpus.index.select("record")[rows]
    names = [c for c in table.columns if c not in ("record", "start", "stop")]
    known = table.join(wanted, on="record", how="semi").with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in names
    )
    one = known.group_by("record").agg(pl.col(names).median())
    joined = wanted.join(one, on="record", how="left", maintain_order="left")
    values = joined.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    digest = features_digest(corpus) or ""
    return MeasuredFeatures(rows, tuple(names), np.asarray(values, dtype=np.float64), digest)


def learnt_tables(arm: ResolvedArm, corpus: Corpus) -> dict[str, str]:
    """Digests of the measured tables that an arm's encoder is trained on, for the key of its cells.

    Returns
    -------
    dict of str to str
        ``features`` – of the table that its recipe chooses – and ``fiducials``, as far as its objective needs them
        and the corpus has them. Nothing of an arm without training, of one that reads features instead of an encoder
        (its key holds :func:`features_digest`), and of most others.
    """
    from .. import lookup
    from ..objectives.base import Objective

    if arm.arm.features is not None or not arm.arm.train:
        return {}
    recipe = arm.recipe(0)
    kind: Any = lookup.method("objectives", recipe.objective["name"], Objective)
    tables = {"features": recipe.features_table, "fiducials": "fiducials"}
    found = {name: features_digest(corpus, table) for name, table in tables.items() if name in kind.needs}
    return {name: digest for name, digest in found.items() if digest is not None}


def features_digest(corpus: Corpus, table: str = "features") -> str | None:
    """Digest of what made a measured table – network, code, windows –, so that a cell says on which it rests.

    Of a table that does not say so, of its bytes; None without a table.
    """
    about = about_table(corpus.path, table)
    if about is None:
        return None
    made_by = about.get("made_by")
    settings = made_by.get("settings") if isinstance(made_by, dict) else None
    return digest_json(settings or about.get("sha256"))


def settings_of(readout: FeatureReadout) -> dict[str, Any]:
    """What a cell of such an arm depends on besides features and labels, as JSON values."""
    if readout == "linear":
        return {
            "strengths": [float(f"{strength:.6g}") for strength in STRENGTHS],
            "standardised": "robust, ±4",
        }
    return {**TREES, "looks": list(LOOKS)}


def read_features(
    readout: FeatureReadout,
    names: Iterable[str],
    x: Mapping[str, NDArray[np.floating]],
    y: Mapping[str, NDArray[np.floating]],
    seed: int,
) -> tuple[Array, dict[str, Any]]:
    """Probabilities of the test part, and which setting the validation part chose.

    Parameters
    ----------
    readout : {"linear", "trees"}
    names : iterable of str, (F,)
    x : mapping of "train", "validation", "test" to ndarray, float, (N, F)
        NaN = not measured.
    y : mapping of the same to ndarray, float, (N, C)
        0, 1 or NaN = not labelled; that of the test part is not looked at.
    seed : int
        Of the trees; the linear probe has no chance in it.

    Returns
    -------
    probability : ndarray, float64, (N, C)
    facts : dict

    Raises
    ------
    ColumnMissing
        No feature is measured in the training part.
    """
    given = {part: np.asarray(values, dtype=np.float64) for part, values in x.items()}
    known = {part: np.asarray(values, dtype=np.float64) for part, values in y.items()}
    return _linear(tuple(names), given, known) if readout == "linear" else _trees(given, known, seed)


def _linear(
    names: tuple[str, ...], x: Mapping[str, Array], y: Mapping[str, Array]
) -> tuple[Array, dict[str, Any]]:
    flat = standardised(names, x)
    fitted: Probe = fit_probe(
        flat["train"], y["train"], flat["validation"], y["validation"], strengths=STRENGTHS
    )
    facts = {"strength": fitted.strength, "chosen_by": fitted.chosen_by, "features": flat["train"].shape[1]}
    return fitted.predict(flat["test"]), facts


def standardised(names: Iterable[str], x: Mapping[str, NDArray[np.floating]]) -> dict[str, Array]:
    """What the linear probe is given: robust z of the features, and a flag for each pattern of what is measured.

    Parameters
    ----------
    names : iterable of str, (F,)
    x : mapping of "train" and other parts to ndarray, float, (N, F)
        NaN = not measured. Centre, scale and flags are those of the training part.

    Returns
    -------
    dict of str to ndarray, float64, (N, G)

    Raises
    ------
    ColumnMissing
        No feature is measured in the training part.
    """
    standardiser = Standardiser.fit(x["train"], tuple(names))
    there = {part: np.isfinite(values) for part, values in x.items()}
    _, patterns = np.unique(
        there["train"], axis=1, return_index=True
    )  # of the columns alike in training, one
    told = [column for column in np.sort(patterns) if np.ptp(there["train"][:, column].astype(int))]
    return {
        part: np.hstack([standardiser.transform(values)[0], there[part][:, told]]).astype(np.float64)
        for part, values in x.items()
    }


def _trees(x: Mapping[str, Array], y: Mapping[str, Array], seed: int) -> tuple[Array, dict[str, Any]]:
    used = np.isfinite(x["train"]).any(axis=0)
    if not used.any():
        raise ColumnMissing("features: expected at least one that is measured in the training part, got none")
    clean = {part: np.where(np.isfinite(values), values, np.nan)[:, used] for part, values in x.items()}
    grown = [_grown(clean, y["train"][:, label], seed) for label in range(y["train"].shape[1])]
    looks: list[Array] = [np.column_stack([one["validation"][i] for one in grown]) for i in range(len(LOOKS))]
    areas = [float(macro_auroc(y["validation"], look)) for look in looks]
    chosen_by = "macro AUROC"
    if np.isnan(areas).any():
        areas, chosen_by = [-_log_loss(y["validation"], look) for look in looks], "log-loss"
    best = max(range(len(LOOKS)), key=lambda i: (round(areas[i], 9), -LOOKS[i]))
    facts = {"trees": LOOKS[best], "chosen_by": chosen_by, "features": int(used.sum())}
    return np.column_stack([one["test"][best] for one in grown]), facts


def _grown(x: Mapping[str, Array], y: Array, seed: int) -> dict[str, list[Array]]:
    """Probabilities of one label in the validation and test part after each number of trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    known = ~np.isnan(y)
    if len(np.unique(y[known])) < 2:  # one class, or none: its clipped prevalence, as the probe learns it
        share = np.clip(y[known].mean() if known.any() else 0.5, 1e-3, 1 - 1e-3)
        return {part: [np.full(len(x[part]), share)] * len(LOOKS) for part in ("validation", "test")}
    model = HistGradientBoostingClassifier(**TREES, random_state=seed).fit(x["train"][known], y[known])
    return {
        part: [p[:, 1] for n, p in enumerate(model.staged_predict_proba(x[part]), start=1) if n in LOOKS]
        for part in ("validation", "test")
    }


def _log_loss(y: Array, probability: Array) -> float:
    known = ~np.isnan(y)
    chance = np.clip(np.where(y == 1, probability, 1 - probability), 1e-9, 1)
    return float(-np.log(chance[known]).mean())
