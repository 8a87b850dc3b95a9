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
    fitted = LogisticRegression(C=1 / PENALTY, max_iter=5000, tol=1e-8).fit(rev.evidence(everything, about), which)
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
    head = {"what": "exchanged limb electrodes", "made_by": "benchmarks/fit_quality.py", "attribution": ATTRIBUTION}
    write(ROOT / "reversal.json", head | {"n_records": len(names)} | fit_reversal(waves))


if __name__ == "__main__":
    main()
