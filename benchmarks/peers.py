"""Other people's delineators behind one face: ``Record`` in, waves of every lead out.

They live in an environment of their own (extra ``peers``: ``pip install 'ecgprior[peers]'`` beside ecgprior), never in
the project's. Licences: NeuroKit2 MIT, openecg Apache-2.0 (its weights were trained on LUDB among others, on which of
its recordings is not said file by file: its figures on LUDB are of a method that has seen most of them).

- NeuroKit2 (Makowski et al. 2021; delineators: Emrich et al. 2024 "prominence", Martínez et al. 2004 "dwt"): one lead
  at a time, ``ecg_clean``, ``ecg_peaks``, ``ecg_delineate``, default options. QRS = ``ECG_R_Onsets`` … ``ECG_R_Offsets``.
- openecg codec v6 (int8 ONNX, what ``openecg.report`` runs): one lead at a time, 10 s at 500 Hz; runs of its frame
  layer are the waves, their middles the peaks; both classes of QRS are QRS. Runs under 40 ms are left out, as the
  package's own ``logits_to_boundaries`` does (with them its macro F1 on LUDB is 0.946 instead of 0.958).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgprior.evaluation.marks import Marks
from ecgprior.record.record import Record

_SHORTEST_RUN = 20  # samples at 500 Hz

Waves = dict[str, NDArray[np.float64]]
LeadMethod = Callable[[NDArray[np.float64], float], Waves]


def neurokit(method: str) -> LeadMethod:
    """NeuroKit2 on one lead by ``"prominence"`` or ``"dwt"``."""
    import neurokit2 as nk

    def one(lead: NDArray[np.float64], fs: float) -> Waves:
        rate = int(fs)
        clean = nk.ecg_clean(lead, sampling_rate=rate)
        _, info = nk.ecg_peaks(clean, sampling_rate=rate)
        peaks = info["ECG_R_Peaks"]
        _, found = nk.ecg_delineate(clean, peaks, sampling_rate=rate, method=method)
        names = {"P": "ECG_P_", "QRS": "ECG_R_", "T": "ECG_T_"}
        found = {**found, "ECG_R_Peaks": peaks}
        columns = {
            wave: [found[stem + part] for part in ("Onsets", "Peaks", "Offsets")]
            for wave, stem in names.items()
        }
        return {
            wave: np.array([[*three] for three in zip(*c)], dtype=float).reshape(-1, 3)
            for wave, c in columns.items()
        }

    return one


def neurokit_process() -> LeadMethod:
    """NeuroKit2's ``ecg_process`` on one lead: everything that it measures, for timing only."""
    import neurokit2 as nk

    def one(lead: NDArray[np.float64], fs: float) -> Waves:
        nk.ecg_process(lead, sampling_rate=int(fs))
        return {}

    return one


def openecg_codec() -> LeadMethod:
    """openecg's layered codec on one lead."""
    import openecg

    model: Any = openecg.load_codec_onnx()
    wave_of = {1: "P", 2: "QRS", 3: "T", 4: "QRS"}

    def one(lead: NDArray[np.float64], fs: float) -> Waves:
        if fs != 500:
            raise ValueError(f"openecg's codec is for 500 Hz, got {fs}")
        codec = openecg.encode_stream(lead.astype(np.float32), fs=500, model=model)
        rows: dict[str, list[list[float]]] = {"P": [], "QRS": [], "T": []}
        for start, stop, code in codec.events("frame", drop_class=0):
            if stop - start < _SHORTEST_RUN:
                continue
            rows[wave_of[code]].append([start, (start + stop - 1) / 2, stop - 1])
        return {wave: np.array(points, dtype=float).reshape(-1, 3) for wave, points in rows.items()}

    return one


METHODS: dict[str, tuple[str, Callable[[], LeadMethod]]] = {
    "neurokit2 prominence": ("neurokit2", lambda: neurokit("prominence")),
    "neurokit2 dwt": ("neurokit2", lambda: neurokit("dwt")),
    "openecg codec": ("openecg", openecg_codec),
}
"""Name → the package that it needs, and what makes its function for one lead."""

TIMED_ONLY: dict[str, tuple[str, Callable[[], LeadMethod]]] = {
    "neurokit2 ecg_process": ("neurokit2", neurokit_process),
}


def installed(methods: dict[str, tuple[str, Callable[[], LeadMethod]]]) -> list[str]:
    """Names of the methods whose package is here."""
    return [name for name, (package, _) in methods.items() if importlib.util.find_spec(package)]


def has_neurokit() -> bool:
    """Whether NeuroKit2 is here."""
    return importlib.util.find_spec("neurokit2") is not None


def version(name: str) -> str:
    """The version of the package behind a method."""
    return importlib.metadata.version((METHODS | TIMED_ONLY)[name][0])


@cache
def lead_method(name: str) -> LeadMethod:
    """The function of a method for one lead; made once a process."""
    return (METHODS | TIMED_ONLY)[name][1]()


def delineate_by(name: str, record: Record) -> tuple[Marks, int]:
    """A record by another method, lead by lead.

    Returns
    -------
    Marks
        At the record's rate; a lead on which the method failed has no wave.
    int
        Leads on which it raised an exception.
    """
    method, failed = lead_method(name), 0
    waves = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for lead, trace in zip(record.leads, record.signal):
            try:
                waves |= {
                    (lead, wave): rows for wave, rows in method(trace.astype(np.float64), record.fs).items()
                }
            except Exception:  # noqa: BLE001 – a peer may fail in any way; that is counted
                failed += 1
    return Marks(record.name, record.fs, record.leads, waves), failed


def r_peaks_by(record: Record, lead: str) -> NDArray[np.int64]:
    """R peaks of one lead by NeuroKit2's default: int64, samples; empty where it raised an exception."""
    import neurokit2 as nk

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clean = nk.ecg_clean(record.lead(lead).astype(np.float64), sampling_rate=int(record.fs))
            return np.asarray(
                nk.ecg_peaks(clean, sampling_rate=int(record.fs))[1]["ECG_R_Peaks"], dtype=np.int64
            )
        except Exception:  # noqa: BLE001
            return np.empty(0, dtype=np.int64)
