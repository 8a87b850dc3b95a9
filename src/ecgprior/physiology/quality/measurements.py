"""Label-free numbers about what disturbs an ECG: no finding, no threshold, no trained weight.

What each means stands in :data:`~ecgprior.physiology.quality.definitions.MEASUREMENTS`. A recording longer than 15 s is measured in stretches of 10 s, at most
64 of them spread evenly: shares are averaged over the stretches, sizes are their medians. So a night costs what ten
minutes cost. NaN = it cannot be measured, and :attr:`Measured.reasons` says why.

**Source**: kinds of measurement as in Clifford et al. 2012, "Signal quality indices and data fusion for determining
clinical acceptability of electrocardiograms", Physiol Meas 33:1419 (flat line, baseline power, agreement of beats);
Orphanidou et al. 2015, IEEE JBHI 19:832 (correlation with the average beat). Definitions here are our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...record.filters import _bridge
from ...record.leads import check_leads
from ...record.record import Record
from ._bands import Bands
from ._energy import energy_peaks
from ._reversal import reversal
from ._shape import average_beat
from .definitions import OF_RECORD, PER_LEAD

_STRETCH_S, _WHOLE_S, _MOST = 10.0, 15.0, 64
_HUGE_MV = 1e9  # beyond any unit of voltage: such samples count as missing
_FLAT_MV = 0.0015
_WINDOW_S = 0.25
_EDGE_S = 0.1


_SHARES = ("missing_share", "flat_share", "clipped_share")


@dataclass(frozen=True, eq=False)
class Measured:
    """The measurements of one record.

    Attributes
    ----------
    leads : tuple of str, (L,)
    lead : dict of str to ndarray, float64, (L,)
        By the names of :data:`~ecgprior.physiology.quality.definitions.PER_LEAD`; NaN = not measurable.
    record : dict of str to float
        By the names of :data:`~ecgprior.physiology.quality.definitions.OF_RECORD`.
    reasons : dict of str to str
        Why a number is NaN, by ``name`` or ``name.lead``.
    """

    leads: tuple[str, ...]
    lead: dict[str, NDArray[np.float64]]
    record: dict[str, float]
    reasons: dict[str, str] = field(default_factory=dict)

    def flat(self) -> dict[str, float]:
        """All of it by name: ``agreement.V1``, …, ``algebra_mv``."""
        flat = {f"{name}.{at}": float(v) for name, row in self.lead.items() for at, v in zip(self.leads, row)}
        return flat | self.record


def measure_quality(record: Record) -> Measured:
    """The label-free quality measurements of a record, and why each that is NaN cannot be made.

    Parameters
    ----------
    record : Record

    Returns
    -------
    Measured

    Examples
    --------
    >>> flat = measure_quality(Record(signal=np.zeros((1, 1000)), fs=100, leads=["II"])).flat()
    >>> flat["flat_share.II"], flat["agreement.II"]
    (1.0, nan)
    """
    lead_rows: list[dict[str, NDArray[np.float64]]] = []
    of_record: list[dict[str, float]] = []
    with np.errstate(all="ignore"):
        for piece in _stretches(record):
            per_lead, over_all = _measure(piece, record.fs, record.leads)
            lead_rows.append(per_lead)
            of_record.append(over_all)
        lead = {name: _merge(name, [row[name] for row in lead_rows]) for name in PER_LEAD}
        whole = {name: float(_merge(name, [row[name] for row in of_record])) for name in OF_RECORD}
    return Measured(record.leads, lead, whole, _reasons(record, lead, whole))


def _stretches(record: Record) -> Iterator[NDArray[np.float32]]:
    """The record itself, or evenly spread stretches of it, (L, T) each."""
    if record.seconds <= _WHOLE_S:
        yield record.signal
        return
    width = max(1, round(_STRETCH_S * record.fs))
    count = min(_MOST, record.n_samples // width)
    for start in np.linspace(0, record.n_samples - width, count).astype(int):
        yield record.signal[:, start : start + width]


def _merge(name: str, values: list) -> NDArray[np.float64]:
    stacked = np.asarray(values, np.float64)
    if len(stacked) == 1:
        return stacked[0]
    if name in _SHARES:
        return stacked.mean(axis=0)
    known = ~np.isnan(stacked)
    filled = np.where(known, stacked, np.inf)
    order = np.sort(filled, axis=0)
    count = known.sum(axis=0)
    low = np.take_along_axis(order, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    high = np.take_along_axis(order, np.minimum(count // 2, len(order) - 1)[None], axis=0)[0]
    return np.where(count > 0, 0.5 * (low + high), np.nan)


def _measure(
    raw: NDArray[np.float32], fs: float, leads: tuple[str, ...]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """One stretch: measurements by lead and over all leads."""
    bad = ~(np.abs(raw) < _HUGE_MV)
    missing = bad.mean(axis=1)
    signal = raw
    if bad.any():
        signal, _ = _bridge(np.where(bad, np.float32(np.nan), raw))
    out: dict[str, NDArray[np.float64]] = {name: np.full(len(raw), np.nan) for name in PER_LEAD}
    out["missing_share"] = missing.astype(np.float64)
    some = missing < 1
    over_all = dict.fromkeys(OF_RECORD, float("nan")) | {"n_leads": float(some.sum())}
    out["level_mv"][some] = (
        np.abs(_quantiles(signal[some, :: max(1, round(fs / 50))], 0.5)[0]) if some.any() else np.nan
    )
    if some.any() and raw.shape[1] >= fs and raw.shape[1] >= 8:
        _time_domain(signal, bad, fs, some, out)
        bands = Bands(signal, fs)
        _spectral(bands, some, out)
        _beats(bands, leads, some, out, over_all)
    return out, over_all


def _time_domain(
    x: NDArray[np.float32], bad: NDArray[np.bool_], fs: float, some: NDArray, out: dict[str, NDArray]
) -> None:
    n_leads, count = x.shape
    width = max(2, round(_WINDOW_S * fs))
    n_windows = count // width
    pieces = x[:, : n_windows * width].reshape(n_leads, n_windows, width)
    still = (pieces.max(axis=2) - pieces.min(axis=2)) < _FLAT_MV
    if bad.any():
        still &= ~bad[:, : n_windows * width].reshape(n_leads, n_windows, width).any(axis=2)
    least = min(4, n_windows)
    runs = np.lib.stride_tricks.sliding_window_view(still, least, axis=1).all(axis=2)
    flat = np.zeros_like(still)
    for shift in range(least):
        flat[:, shift : shift + runs.shape[1]] |= runs
    out["flat_share"][some] = flat.mean(axis=1)[some]
    out["clipped_share"][some] = _clipped(x, fs)[some]


def _clipped(x: NDArray[np.float32], fs: float) -> NDArray[np.float64]:
    """Share of samples in runs at the lead's own extremes; one run alone counts from 0.2 s on: waves have tops."""
    high, low = x.max(axis=1, keepdims=True), x.min(axis=1, keepdims=True)
    near = 1e-5 * (high - low)
    least = max(3, round(0.008 * fs))
    share = np.zeros(len(x))
    for at in (x >= high - near, x <= low + near):
        for row in np.flatnonzero((at.sum(axis=1) >= least) & (high[:, 0] - low[:, 0] > _FLAT_MV)):
            edges = np.flatnonzero(np.diff(at[row], prepend=False, append=False))
            runs = edges[1::2] - edges[::2]
            runs = runs[runs >= least]
            if len(runs) > 1 or (len(runs) and runs[0] > 0.2 * fs):
                share[row] += runs.sum() / x.shape[1]
    return share


def _quantiles(x: NDArray[np.floating], *shares: float) -> list[NDArray[np.floating]]:
    """The values at some shares of the last axis, without interpolation: sorting short rows beats NumPy's quantile."""
    ordered = np.sort(x, axis=-1)
    return [ordered[..., round(share * (x.shape[-1] - 1))] for share in shares]


def _spectral(bands: Bands, some: NDArray, out: dict[str, NDArray]) -> None:
    fs = bands.low_fs
    edge = round(_EDGE_S * fs)
    slow, waves = bands.slow[:, edge : -edge or None], bands.waves[:, edge : -edge or None]
    low, high = _quantiles(waves[:, ::2], 0.005, 0.995)
    out["range_mv"][some] = (high - low)[some]
    low, high = _quantiles(slow[:, :: max(1, round(0.05 * fs))], 0.02, 0.98)
    out["baseline_mv"][some] = (high - low)[some]
    whole = bands.slow + bands.waves
    width = max(1, round(_WINDOW_S * fs))
    count = whole.shape[1] // width
    if count >= 3:
        (medians,) = _quantiles(whole[:, : count * width].reshape(len(whole), count, width), 0.5)
        out["jump_mv"][some] = np.abs(medians[:, 2:] - medians[:, :-2]).max(axis=1)[some]
    if bands.fs >= 95:
        width = max(1, round(0.1 * fs))
        muscle = bands.muscle[:, edge : -edge or None]
        count = muscle.shape[1] // width
        power = np.square(muscle[:, : count * width]).reshape(len(muscle), count, width).mean(axis=2)
        if count:
            out["muscle_mv"][some] = np.sqrt(_quantiles(power, 0.25)[0])[some]
        if count >= 5:
            groups = power[:, : count // 5 * 5].reshape(len(power), -1, 5)
            out["burst_mv"][some] = np.sqrt(_quantiles(np.sort(groups, axis=2)[:, :, 1], 0.9)[0])[some]
    out["mains_mv"], out["mains_share"], out["mains_hz"] = (np.where(some, v, np.nan) for v in bands.mains())


def _beats(
    bands: Bands, leads: tuple[str, ...], some: NDArray, out: dict[str, NDArray], over_all: dict[str, float]
) -> None:
    thin = (bands.slow + bands.waves)[:, ::4]  # the equations hold for any samples
    low = Record(signal=np.where(some[:, None], thin, np.float32(np.nan)), fs=bands.low_fs, leads=leads)
    over_all["algebra_mv"] = check_leads(low).residual_mv
    if bands.fs < 60:
        return
    moving = some & (out["flat_share"] < 0.5)
    beats = energy_peaks(bands.qrs[moving], bands.low_fs)
    over_all["n_beats_per_s"] = len(beats) / (bands.signal.shape[1] / bands.fs)
    if len(beats) >= 3:
        gaps = np.diff(beats)
        a, b = np.quantile(gaps, (0.1, 0.9))
        over_all["rr_spread"] = float((b - a) / np.median(gaps))
    heart = average_beat(bands.waves, beats, bands.low_fs)
    if heart is None:
        return
    out["agreement"][moving] = heart.agreement[moving]
    out["contrast_db"][moving] = _contrast(bands.qrs[moving], beats, bands.low_fs)
    over_all["qrs_mv"] = (
        float(np.median(np.ptp(heart.shape[moving], axis=1))) if moving.any() else float("nan")
    )
    over_all |= reversal(heart, leads, moving)


def _contrast(qrs: NDArray[np.float32], beats: NDArray[np.int64], fs: float) -> NDArray[np.float64]:
    energy = np.square(qrs.astype(np.float64))
    reach = max(1, round(0.06 * fs))
    near = np.zeros(energy.shape[1], bool)
    for shift in range(-reach, reach + 1):
        near[(beats + shift).clip(0, energy.shape[1] - 1)] = True
    if near.all():
        return np.full(len(energy), np.nan)
    return 10 * np.log10(
        (energy[:, near].mean(axis=1) + 1e-12) / (np.median(energy[:, ~near], axis=1) + 1e-12)
    )


def _reasons(record: Record, lead: dict[str, NDArray[np.float64]], whole: dict[str, float]) -> dict[str, str]:
    """A sentence for every NaN."""
    found = {}
    short = record.n_samples < record.fs or record.n_samples < 8
    slow = f"{record.fs:g} Hz is too low a sampling rate"
    for name, row in lead.items():
        for at in np.flatnonzero(np.isnan(row)):
            if lead["missing_share"][at] >= 1:
                why = "the lead holds no sample"
            elif short:
                why = f"{record.seconds:.3g} s is too short: a second is needed"
            elif name.startswith("mains") or (name in ("muscle_mv", "burst_mv") and record.fs < 95):
                why = slow
            elif name in ("agreement", "contrast_db"):
                why = (
                    slow
                    if record.fs < 60
                    else "the lead is flat"
                    if lead["flat_share"][at] >= 0.5
                    else "fewer than 2 whole beats"
                )
            else:
                why = "too short"
            found[f"{name}.{record.leads[at]}"] = why
    for name, value in whole.items():
        if np.isnan(value):
            needs = (
                "limb leads"
                if name == "algebra_mv"
                else "at least 3 beats"
                if name == "rr_spread"
                else "at least 2 whole beats"
            )
            if name.startswith("reversal"):
                needs = "beats in I, II and chest leads"
            found[name] = f"it needs {needs}"
    return found
