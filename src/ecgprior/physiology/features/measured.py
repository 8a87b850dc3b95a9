"""One ECG being measured: what entries read, and the reason of each value that could not be had."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...record.beats import Delineation
from .atria import FWaves, f_waves
from .entry import Feature
from .likeness import adjacent_correlation
from .per_beat import AMPLITUDES, INTERVALS, QUANTITIES, BeatValues, measure_beats
from .reasons import Reason
from .registry import FEATURES
from .statistics import RowStatistics, row_statistics

Array = NDArray[np.float64]
Codes = NDArray[np.uint8]

_WAVE = {
    q: "P" if q[:2] in ("pr", "p_") else "T" if q[:2] in ("qt", "t_", "tp", "be") else "QRS"
    for q in QUANTITIES
}

_LARGEST_MV = 1000.0


class Settled(NamedTuple):
    """A result whose every NaN has its reason and whose range needs no check."""

    values: Array
    codes: Codes


class Measured:
    """Measurements of one ECG, filled in the order of the registry by :meth:`run`.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
    fs : float, Hz
    leads : sequence of str, (L,)
    delineation : Delineation
        Of the same leads.

    Attributes
    ----------
    beats : BeatValues
        Per beat, all beats.
    usual : ndarray, bool, (K,)
        Beats that count for medians.
    rows : ndarray, float64, (quantity, 1 + L, usual beats)
        Per-beat values of usual beats, implausible ones NaN.
    """

    def __init__(
        self, signal: NDArray[np.float32], fs: float, leads: Sequence[str], delineation: Delineation
    ) -> None:
        self.signal, self.fs, self.leads, self.delineation = _believed(signal), fs, tuple(leads), delineation
        self.n_leads: int = len(self.leads)
        self.n_beats: int = len(delineation)
        self.marks = np.concatenate([delineation.global_[None], delineation.points])
        self.beats: BeatValues = measure_beats(self.signal, fs, delineation)
        self.usual = self.beats.usual
        raw = self.beats.values[:, :, self.usual]
        low, high = _LIMITS
        with np.errstate(invalid="ignore"):
            self.rows = np.where((raw >= low) & (raw <= high), raw, np.nan)
        self._raw_known: NDArray[np.bool_] = np.asarray(np.isfinite(raw).any(axis=2))
        self._whole: dict[str, tuple[float, int]] = {}
        self._leads: dict[str, tuple[Array, Codes]] = {}

    def run(self) -> tuple[Array, Codes, Array, Codes]:
        """Compute every entry.

        Returns
        -------
        whole, whole_codes : ndarray, float64 and uint8, (features of the record,)
        per_lead, per_lead_codes : ndarray, float64 and uint8, (features of leads, L)
        """
        for entry in FEATURES.values():
            self._settle(entry, entry.compute(self))
        whole = np.array(list(self._whole.values()), np.float64).reshape(-1, 2)
        values = [v for v, _ in self._leads.values()]
        codes = [c for _, c in self._leads.values()]
        return whole[:, 0], whole[:, 1].astype(np.uint8), np.array(values), np.array(codes, np.uint8)

    def __getitem__(self, name: str) -> float:
        """An earlier feature's value, of the record or (``"r_amplitude_mv.V1"``) of one lead; NaN = not measured."""
        return self._value_and_code(name)[0]

    def of_leads(self, name: str) -> Array:
        """An earlier feature's value in each lead: (L,)."""
        return self._leads[name][0]

    def _value_and_code(self, name: str) -> tuple[float, int]:
        base, _, lead = name.partition(".")
        if not lead:
            return self._whole[name]
        if lead not in self.leads:
            return np.nan, Reason.NO_LEAD
        values, codes = self._leads[base]
        return float(values[self.leads.index(lead)]), int(codes[self.leads.index(lead)])

    def _settle(self, entry: Feature, result: object) -> None:
        """Keep an entry's result; give every NaN its reason."""
        if isinstance(result, Settled):
            values, why = result
            self._keep(entry, values, why)
            return
        given, codes = result if isinstance(result, tuple) else (result, None)
        low, high = entry.plausible
        if isinstance(given, float) and low <= given <= high:
            self._whole[entry.name] = given, 0
            return
        values = np.atleast_1d(np.asarray(given, np.float64))
        with np.errstate(invalid="ignore"):
            fine = (values >= low) & (values <= high)
        if not fine.all():
            why = self._why(entry, values) if codes is None else np.where(codes == 0, entry.otherwise, codes)
            why = np.where(fine, 0, np.where(np.isnan(values), why, Reason.IMPLAUSIBLE)).astype(np.uint8)
            values = np.where(fine, values, np.nan)
        else:
            why = np.zeros(values.shape, np.uint8)
        self._keep(entry, values, why)

    def _keep(self, entry: Feature, values: Array, why: Codes) -> None:
        if entry.per_record:
            self._whole[entry.name] = float(values[0]), int(why[0])
        if entry.per_lead:
            self._leads[entry.name] = values[-self.n_leads :], why[-self.n_leads :]

    def _why(self, entry: Feature, values: Array) -> Codes:
        """The first reason among an entry's needs, else its own."""
        why = np.zeros(values.shape, np.uint8)
        if self.n_beats == 0:
            return np.full(values.shape, Reason.NO_BEATS, np.uint8)
        for need in entry.needs:
            if entry.per_lead and need in self._leads:
                codes: Codes | int = self._leads[need][1]
                if entry.per_record:
                    codes = np.concatenate([[self._whole[need][1]], codes])
            else:
                codes = self._value_and_code(need)[1]
            why = np.where(why == 0, codes, why)
        return np.where(why == 0, entry.otherwise, why).astype(np.uint8)

    # What entries read --------------------------------------------------------------------------------------

    def of_beats(self, quantity: str) -> Array:
        """A quantity in the usual beats: float64, (1 + L, usual beats)."""
        return self.rows[QUANTITIES.index(quantity)]

    @cached_property
    def statistics(self) -> RowStatistics:
        """Of every quantity over the usual beats: each (quantity, 1 + L)."""
        return row_statistics(self.rows)

    def statistic(self, which: str, quantity: str) -> Settled:
        """One statistic of a quantity, (1 + L,), and the reason where it is NaN.

        No range is checked: beats that are not plausible do not count, so their statistics are.
        """
        row = QUANTITIES.index(quantity)
        values = getattr(self.statistics, which)[row]
        codes = self.codes[row]
        if which in ("sd", "iqr") and self._some_single:
            codes = np.where((codes == 0) & np.isnan(values), Reason.FEW_BEATS, codes).astype(np.uint8)
        return Settled(values, codes)

    @cached_property
    def _some_single(self) -> bool:
        return bool((self.statistics.n == 1).any())

    def share(self, quantity: str, true: NDArray[Any]) -> tuple[Array, Codes]:
        """Part of the usual beats, of those in which `quantity` was measured, where `true`: (1 + L,), and reasons."""
        row = QUANTITIES.index(quantity)
        known = np.isfinite(self.rows[row])
        n = known.sum(axis=1)
        part = np.where(n > 0, (known & (true > 0)).sum(axis=1) / np.maximum(n, 1), np.nan)
        return part, self.codes[row]

    @cached_property
    def codes(self) -> Codes:
        """Why a quantity has no median: uint8, (quantity, 1 + L); 0 = it has one."""
        out = np.zeros((len(QUANTITIES), 1 + self.n_leads), np.uint8)
        missing = np.isnan(self.statistics.median)
        if not missing.any():
            return out
        if self.n_beats == 0:
            return np.full_like(out, Reason.NO_BEATS)
        seen: NDArray[np.bool_] = np.asarray(
            np.isfinite(self.marks[:, self.usual][..., 1]).any(axis=1)
        )  # (1 + L, 3)
        no_lead = np.concatenate([[not self.recorded.any()], ~self.recorded])
        for row, quantity in enumerate(QUANTITIES):
            amplitude, wave = quantity in AMPLITUDES, _WAVE[quantity]
            place = ("P", "QRS", "T").index(wave)
            absent = ~seen[:, place] & (~seen[0, place] if amplitude else True)
            code = np.full(len(no_lead), Reason.NO_SIGNAL if amplitude else Reason.NO_EDGE)
            if quantity == "beat_qtc_ms":  # QT is there, no RR before it
                code = np.where(
                    np.isfinite(self.statistics.median[QUANTITIES.index("qt_ms")]), Reason.FEW_BEATS, code
                )
            code = np.where(self._raw_known[row], Reason.IMPLAUSIBLE, code)
            if wave != "QRS":
                code = np.where(absent, Reason.NO_P if wave == "P" else Reason.NO_T, code)
            code = np.where(~seen[:, 1], Reason.NO_QRS, code)
            out[row] = np.where(missing[row], np.where(no_lead, Reason.NO_LEAD, code), 0)
        return out

    @cached_property
    def recorded(self) -> NDArray[np.bool_]:
        """Whether a lead holds any sample at all: (L,)."""
        return np.asarray(np.isfinite(self.signal).any(axis=1))

    @cached_property
    def nn_ms(self) -> Array:
        """Intervals between two usual beats that follow each other, in order."""
        return self.beats.rr_ms[self.usual[1:] & self.usual[:-1]] if self.n_beats > 1 else np.zeros(0)

    @cached_property
    def f_waves(self) -> FWaves:
        """The atria between T and QRS."""
        return f_waves(self)

    @cached_property
    def rr_statistics(self) -> RowStatistics:
        """Of the RR intervals that are plausible: each float64, ()."""
        low, high = FEATURES["rr_ms"].plausible
        rr = self.beats.rr_ms
        return row_statistics(np.where((rr >= low) & (rr <= high), rr, np.nan))

    @cached_property
    def correlation_statistics(self) -> RowStatistics:
        """Of the correlations of adjacent usual beats: each (1 + L,)."""
        return row_statistics(self.adjacent_correlation)

    @cached_property
    def adjacent_correlation(self) -> Array:
        """Correlation of adjacent usual beats: (1 + L, pairs)."""
        return adjacent_correlation(self)


def _believed(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """The signal with what no amplifier gives (infinite, beyond 1 V) as missing."""
    with np.errstate(invalid="ignore"):
        fine = np.abs(signal) <= _LARGEST_MV
    return signal if fine.all() else np.where(fine, signal, np.float32(np.nan))


_LIMITS = tuple(np.array([FEATURES[q].plausible[side] for q in QUANTITIES])[:, None, None] for side in (0, 1))
assert set(INTERVALS) | set(AMPLITUDES) <= set(FEATURES)
