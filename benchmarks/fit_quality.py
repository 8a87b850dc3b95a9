"""Fit the two small models of ``physiology/quality`` and write them into the package.

    python benchmarks/fit_quality.py [DATA]

``reversal.json``: how chest leads predict limb leads, and the odds of exchanged electrodes, from the average beats of
PTB-XL, LUDB, CODE-15 % (Chagas 2025) and the CinC 2021 sample; exchanges are made by arithmetic, no label is used.
``score.json``: the logistic model of acceptability, from the labels of CinC 2011, on all recordings at hand.
Deterministic: the same recordings give the same files. ``benchmarks/quality.py`` says how good they are on
recordings that a model has not seen.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ecgprior.corpus.catalog import open_source
from ecgprior.physiology.quality import _reversal as rev
from ecgprior.physiology.quality._bands import Bands
from ecgprior.physiology.quality._energy import energy_peaks
from ecgprior.physiology.quality._shape import average_beat
from ecgprior.physiology.quality.measurements import measure_quality
from ecgprior.physiology.quality.score import terms_of
from ecgprior.provenance import digest_json
from ecgprior.record.filters import _bridge
from ecgprior.record.record import LEADS

ROOT = Path(__file__).parents[1] / "src" / "ecgprior" / "physiology" / "quality"
SETS = {"ptbxl": "ptb-xl", "ludb": "ludb", "chagas2025": "chagas2025-code15", "cinc2021": "cinc2021-sample"}
ATTRIBUTION = (
    "Fitted to recordings of PTB-XL (CC BY 4.0), LUDB (ODC-By 1.0), CODE-15 % as in the PhysioNet Challenge 2025 "
    "(CC BY 4.0) and the PhysioNet/CinC Challenge 2021 (CC BY 4.0)."
)
PENALTY = 3.0

SCORE_ATTRIBUTION = (
    "Trained on labels of set A of the PhysioNet/CinC Challenge 2011 (ODC-By 1.0; Silva et al. 2011), "
    "read at 5 µV a unit with aVL and aVF put right."
)
# name, measurements, good, bad, logarithmic, what a lead without the number counts
_TERMS = [
    ("no signal", ["missing_share", "flat_share"], 0.0, 1.0, False, 1.0),
    ("clipped", ["clipped_share"], 0.001, 0.05, True, 0.0),
    ("too small", ["range_mv"], 0.3, 0.03, True, 1.0),
    ("too large", ["range_mv"], 3.0, 30.0, True, 0.0),
    ("far from zero", ["level_mv"], 3.0, 30.0, True, 0.0),
    ("baseline", ["baseline_mv"], 0.2, 5.0, True, 0.0),
    ("jumps", ["jump_mv"], 0.3, 8.0, True, 0.0),
    ("muscle", ["muscle_mv"], 0.005, 0.1, True, 0.0),
    ("bursts", ["burst_mv"], 0.008, 0.3, True, 0.0),
    ("mains", ["mains_mv"], 0.005, 0.3, True, 0.0),
    ("beats differ", ["agreement"], 0.98, 0.3, False, 1.0),
    ("beats drown", ["contrast_db"], 20.0, 0.0, False, 1.0),
]
TERM_SETS = {"worst": ("worst",), "worst and mean": ("worst", "mean")}
STRENGTHS = (0.003, 0.01, 0.03, 0.1)


def listed_terms(which: str) -> list[dict]:
    """The terms of one set, as ``score.json`` lists them."""
    keys = ("name", "measurements", "of", "good", "bad", "log", "absent")
    return [
        dict(zip(keys, (f"{name}, {'worst lead' if of == 'worst' else 'mean of leads'}", names, of, *rest)))
        for of in TERM_SETS[which]
        for name, names, *rest in _TERMS
    ]


def fit_weights(x: np.ndarray, accepted: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Weights ≥ 0 and intercept of P(accepted) = σ(intercept − x · w): mean log loss + ½ strength ‖w‖²."""
    from scipy.optimize import minimize

    sign = np.where(accepted, 1.0, -1.0)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (theta[-1] - x @ theta[:-1])
        wrong = -sign / (1 + np.exp(margin)) / len(x)
        value = np.logaddexp(0, -margin).mean() + 0.5 * strength * np.square(theta[:-1]).sum()
        return value, np.append(-wrong @ x + strength * theta[:-1], wrong.sum())

    bounds = [(0, None)] * x.shape[1] + [(None, None)]
    theta = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-9}).x  # fmt: skip
    return theta[:-1], float(theta[-1])


def predict(x: np.ndarray, weights: np.ndarray, intercept: float) -> np.ndarray:
    """P(accepted)."""
    return 1 / (1 + np.exp(x @ weights - intercept))


def stratified(labels: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """A fold 0 … k − 1 for each record, each class dealt out evenly."""
    fold = np.empty(len(labels), int)
    for value in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == value))
        fold[members] = (np.arange(len(members)) + rng.integers(k)) % k
    return fold


def choose(sets: dict[str, np.ndarray], accepted: np.ndarray, rng: np.random.Generator) -> tuple[str, float]:
    """Term set and strength by the log loss of an inner 5-fold cross-validation, repeated three times."""
    folds = [stratified(accepted, 5, rng) for _ in range(3)]
    losses = {}
    for which, x in sets.items():
        for strength in STRENGTHS:
            total = 0.0
            for fold in folds:
                for k in range(5):
                    p = predict(x[fold == k], *fit_weights(x[fold != k], accepted[fold != k], strength))
                    total -= np.log(np.where(accepted[fold == k], p, 1 - p).clip(1e-9)).sum()
            losses[which, strength] = total
    return min(losses, key=lambda key: losses[key])


def cinc2011(data: Path) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """Terms (N, D) of each set, whether each recording was accepted, and their names."""
    source = open_source("cinc2011", data / "cinc2011")
    rows = [row for row in source.rows() if "cinc2011_quality" in row.labels]
    measured = [measure_quality(source.load(row.path)) for row in rows]
    sets = {
        which: np.array([[term(m) for term in terms_of(listed_terms(which))] for m in measured])
        for which in TERM_SETS
    }
    return (
        sets,
        np.array(["unacceptable" not in row.labels["cinc2011_quality"] for row in rows]),
        [r.record for r in rows],
    )


def fit_score(data: Path) -> dict:
    """The model on all labelled recordings."""
    sets, accepted, _ = cinc2011(data)
    which, strength = choose(sets, accepted, np.random.default_rng(0))
    weights, intercept = fit_weights(sets[which], accepted, strength)
    terms = [
        term | {"weight": round(float(w), 4)}
        for term, w in zip(listed_terms(which), weights)
        if round(w, 4) > 0
    ]
    return {"n_records": len(accepted), "n_acceptable": int(accepted.sum()), "strength": strength,
            "threshold": 0.5, "intercept": round(intercept, 4), "terms": terms}  # fmt: skip


def data_folder() -> Path:
    default = Path(__file__).parents[2] / "shared" / "data"
    return Path(sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else
                os.environ.get("ECGPRIOR_DATA", default))  # fmt: skip


def hearts(data: Path, sets: dict[str, str]) -> tuple[np.ndarray, list[str], list[str]]:
    """Average beats (N, 8, W) of I, II, V1–V6 where all are clean, with names and patients."""
    waves, names, patients = [], [], []
    for source_name, folder in sets.items():
        source = open_source(source_name, data / folder)
        for row in source.rows():
            record = source.load(row.path).pick(LEADS)
            signal, _ = _bridge(record.signal[:, : round(10 * record.fs)])
            bands = Bands(signal, record.fs)
            heart = average_beat(bands.waves, energy_peaks(bands.qrs, bands.low_fs), bands.low_fs)
            if heart is None or heart.agreement[[0, 1, *range(6, 12)]].min() < 0.5:
                continue
            waves.append(rev.on_grid(heart, [0, 1, *range(6, 12)]))
            names.append(f"{source_name}/{row.record}")
            patients.append(f"{source_name}/{row.patient or row.record}")
    return np.array(waves), names, patients


def covariance(waves: np.ndarray) -> np.ndarray:
    """Of the eight leads in P, QRS and T, every recording weighing the same."""
    out = []
    for piece in rev.pieces(waves):
        size = np.sqrt(np.square(piece[:, 2:]).mean(axis=(1, 2), keepdims=True)) + 1e-3
        piece = piece / size
        out.append(np.einsum("nlw,nkw->lk", piece, piece) / len(piece) / piece.shape[-1])
    return np.array(out)


def exchanged(waves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The recordings as they are and with each exchange, and which it is (0 = none)."""
    made = [waves]
    for exchange in rev.EXCHANGES.values():
        made.append(np.concatenate([exchange @ waves[:, :2], waves[:, 2:]], axis=1))
    return np.concatenate(made), np.repeat(np.arange(len(made)), len(waves))


def fit_reversal(waves: np.ndarray) -> dict:
    """Covariances, and log odds of each exchange against none."""
    from sklearn.linear_model import LogisticRegression

    about = covariance(waves).round(5)
    everything, which = exchanged(waves)
    fitted = LogisticRegression(C=1 / PENALTY, max_iter=5000, tol=1e-8).fit(
        rev.evidence(everything, about), which
    )
    weights = fitted.coef_[1:] - fitted.coef_[0]
    return {
        "covariance": about.tolist(),
        "weights": weights.round(4).tolist(),
        "intercepts": (fitted.intercept_[1:] - fitted.intercept_[0]).round(4).tolist(),
    }


def write(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes, {digest_json(value)[:12]}")


def main() -> None:
    data = data_folder()
    waves, names, _ = hearts(data, SETS)
    head = {
        "what": "exchanged limb electrodes",
        "made_by": "benchmarks/fit_quality.py",
        "attribution": ATTRIBUTION,
    }
    write(ROOT / "reversal.json", head | {"n_records": len(names)} | fit_reversal(waves))
    head = {"what": "P(acceptable)", "made_by": "benchmarks/fit_quality.py", "attribution": SCORE_ATTRIBUTION}
    write(ROOT / "score.json", head | fit_score(data))


if __name__ == "__main__":
    main()
