"""ecgprior: ECG encoders that know physiology and medicine.

>>> import ecgprior as ep
>>> ecg = ep.Record(signal=[[0.0, 1.0, 0.0]], fs=100, leads=["II"])
>>> ecg.n_samples
3

Public names are imported when they are first used, so ``import ecgprior`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Record": "record.record",
    "Patient": "record.record",
    "Annotations": "record.record",
    "LEADS": "record.record",
    "read": "record.read",
    "complete_leads": "record.faces",
    "check_leads": "record.faces",
    "remove_baseline": "record.faces",
    "remove_mains": "record.faces",
    "resample": "record.faces",
    "crop": "record.faces",
    "Corpus": "corpus.shards",
    "prepare": "corpus.prepare",
    "split": "corpus.splits",
    "quality": "physiology.quality.assess",
    "simulate": "simulator.simulate",
    "detect_beats": "physiology.faces",
    "delineate": "physiology.faces",
    "measure": "physiology.faces",
    "FEATURES": "physiology.features.registry",
    "fit": "training.fit",
    "load": "encoders._load",
    "Embedder": "encoders._embedder",
    "probe": "evaluation.probe",
    "benchmark": "evaluation.benchmark",
    "errors": "errors",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgprior' has no attribute '{name}'")
    home = import_module(f"ecgprior.{_HOME[name]}")
    value = home if _HOME[name] == name else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
