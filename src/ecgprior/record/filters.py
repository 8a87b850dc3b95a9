"""Resampling, zero-phase filters and cropping of one record.

Everything here keeps NaN as NaN: a gap is bridged by a straight line while filtering and put back after. No
filter delays the waves (each runs forward and backward, or is symmetric), so fiducials stay where they are.

**Source**: polyphase resampling as in SciPy's ``resample_poly`` (Kaiser window, beta 5), each branch scaled to a
gain of exactly 1 at DC; baseline cut-off of 0.5 Hz without phase distortion: Kligfield et al., AHA/ACC/HRS
recommendations I (2007), section "Filtering".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSamplingRate, RecordTooShort
from .record import Annotations, Record

_MAX_FACTOR = 100_000
_LARGEST_BLOCK = 300_000  # up × down up to which a block of outputs is one matrix product


def resample(record: Record, fs: float) -> Record:
    """The record at another sampling rate; annotations move along.

    Parameters
    ----------
    record : Record
    fs : float
        The wanted rate in Hz, > 0.

    Returns
    -------
    Record
        ``ceil(n_samples * fs / record.fs)`` samples a lead. NaN spans stay NaN, constant leads constant.

    Raises
    ------
    BadSamplingRate
        `fs` is not a finite number above 0, or the two rates have no small common fraction.
    """
    if fs == record.fs:
        return record
    signal = resample_array(record.signal, record.fs, fs)
    marks = record.annotations
    if marks is not None:
        sample = np.round(marks.sample * (fs / record.fs)).astype(np.int64)
        marks = replace(marks, sample=sample.clip(0, signal.shape[1] - 1))
    return record.with_(signal=signal, fs=fs, annotations=marks)


def resample_array(x: NDArray[np.floating], fs_from: float, fs_to: float) -> NDArray[np.float32]:
    """Resample along the last axis by a polyphase low-pass filter.

    Parameters
    ----------
    x : ndarray, float, (..., T)
        NaN = missing.
    fs_from, fs_to : float
        Rates in Hz.

    Returns
    -------
    ndarray, float32, (..., ceil(T * fs_to / fs_from))
        NaN where the nearest input sample is NaN.

    Notes
    -----
    The straight line from the first to the last sample is taken off before and added after, so that a
    constant stays exactly constant and the ends do not ring against zeros.
    """
    up, down = _ratio(fs_from, fs_to)
    x = np.asarray(x, dtype=np.float32)
    if up == down:
        return x.copy()
    flat = x.reshape(-1, x.shape[-1])
    filled, missing = _bridge(flat)
    out = _polyphase(filled, up, down)
    if missing is not None:
        nearest = np.minimum((np.arange(out.shape[1]) * down + up // 2) // up, flat.shape[1] - 1)
        out[missing[:, nearest]] = np.nan
    return out.reshape(*x.shape[:-1], out.shape[1])


def remove_baseline(record: Record, hz: float = 0.5) -> Record:
    """Take off what is slower than `hz`: a zero-phase Butterworth high-pass of order 2 each way.

    The level at DC goes too. NaN stays NaN; records of any length are taken (the padding shortens).

    Raises
    ------
    BadSamplingRate
        `hz` is not between 0 and half the sampling rate.
    """
    from scipy import signal as dsp

    _check_band(record, hz)
    sections = dsp.butter(2, hz, "highpass", fs=record.fs, output="sos")
    padding = int(min(record.n_samples - 1, 2 * record.fs / hz))
    return _filtered(record, lambda x: dsp.sosfiltfilt(sections, x, axis=-1, padtype="odd", padlen=padding))


def remove_mains(record: Record, hz: float = 50.0) -> Record:
    """Take off the mains' hum: zero-phase notches 2 Hz wide at `hz` and its multiples below half the rate.

    Raises
    ------
    BadSamplingRate
        `hz` is not between 0 and half the sampling rate: at 100 Hz there is no 50 Hz to take off.
    """
    from scipy import signal as dsp

    _check_band(record, hz)
    multiples = [hz * k for k in range(1, int(record.fs / 2 / hz) + 1) if hz * k < 0.49 * record.fs or k == 1]
    sections = np.vstack([dsp.tf2sos(*dsp.iirnotch(f, Q=f / 2.0, fs=record.fs)) for f in multiples])
    padding = int(min(record.n_samples - 1, record.fs))
    return _filtered(record, lambda x: dsp.sosfiltfilt(sections, x, axis=-1, padtype="odd", padlen=padding))


def crop(record: Record, start_s: float, seconds: float) -> Record:
    """The part from `start_s` that lasts `seconds`; annotations inside it move along, others are left out.

    Raises
    ------
    RecordTooShort
        The part is empty or does not lie inside the record: nothing is padded.
    """
    if not (np.isfinite(start_s) and np.isfinite(seconds)):
        raise RecordTooShort(f"crop: expected finite seconds, got start {start_s} and length {seconds}")
    start, count = round(start_s * record.fs), round(seconds * record.fs)
    if start < 0 or count < 1 or start + count > record.n_samples:
        raise RecordTooShort(
            f"crop: expected a part of 0 to {record.seconds:g} s, got {seconds:g} s from {start_s:g} s on"
        )
    marks = record.annotations
    if marks is not None:
        marks = _crop_marks(marks, start, count)
    return record.with_(signal=record.signal[:, start : start + count], annotations=marks)


def _crop_marks(marks: Annotations, start: int, count: int) -> Annotations:
    kept = np.flatnonzero((marks.sample >= start) & (marks.sample < start + count))
    return Annotations(
        sample=marks.sample[kept] - start,
        symbol=tuple(marks.symbol[i] for i in kept),
        lead=tuple(marks.lead[i] for i in kept),
        note=tuple(marks.note[i] for i in kept),
    )


def _check_band(record: Record, hz: float) -> None:
    if not 0 < hz < record.fs / 2:
        raise BadSamplingRate(
            f"filter frequency: expected above 0 and below {record.fs / 2:g} Hz (half the rate), got {hz:g} Hz"
        )


def _filtered(record: Record, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Record:
    filled, missing = _bridge(record.signal)
    out = function(filled.astype(np.float64)).astype(np.float32)
    if missing is not None:
        out[missing] = np.nan
    return record.with_(signal=out)


def _bridge(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """(rows, T) without NaN – gaps bridged by lines, ends held, all-NaN rows 0 – and where NaN was."""
    missing = np.isnan(x)
    if not missing.any():
        return x, None
    filled = x.copy()
    at = np.arange(x.shape[1])
    for row in np.flatnonzero(missing.any(axis=1)):
        gap = missing[row]
        filled[row, gap] = 0.0 if gap.all() else np.interp(at[gap], at[~gap], x[row, ~gap])
    return filled, missing


def _ratio(fs_from: float, fs_to: float) -> tuple[int, int]:
    for fs in (fs_from, fs_to):
        if not (np.isfinite(fs) and fs > 0):
            raise BadSamplingRate(f"sampling rate: expected a finite number of Hz above 0, got {fs!r}")
    ratio = Fraction(fs_to).limit_denominator(10_000) / Fraction(fs_from).limit_denominator(10_000)
    up, down = ratio.numerator, ratio.denominator
    if not (up > 0 and max(up, down) <= _MAX_FACTOR):
        raise BadSamplingRate(
            f"resampling from {fs_from:g} to {fs_to:g} Hz: the ratio {up}/{down} is not a small fraction"
        )
    shared = gcd(up, down)
    return up // shared, down // shared


@lru_cache(maxsize=32)
def _taps(up: int, down: int) -> NDArray[np.float32]:
    from scipy import signal as dsp

    widest = max(up, down)
    half = 10 * widest
    taps = dsp.firwin(2 * half + 1, 1.0 / widest, window=("kaiser", 5.0))
    for phase in range(
        up
    ):  # every branch passes a constant as it is: without this, 0.1 % of it comes and goes
        taps[phase::up] /= taps[phase::up].sum()
    return taps.astype(np.float32)


def _polyphase(x: NDArray[np.float32], up: int, down: int) -> NDArray[np.float32]:
    from scipy.signal import upfirdn

    n_in = x.shape[1]
    n_out = -(-n_in * up // down)
    taps = _taps(up, down)
    half = (len(taps) - 1) // 2
    first, last = x[:, :1], x[:, -1:]
    slope = (last - first) / max(n_in - 1, 1)
    flat = x - (first + slope * np.arange(n_in, dtype=np.float32))
    if up * down <= _LARGEST_BLOCK:
        out = _by_blocks(flat, up, down, n_out)
    else:
        lead_in = -half % down  # zeros before the taps, so that the centre falls on an output sample
        out = upfirdn(np.concatenate([np.zeros(lead_in, np.float32), taps]), flat, up, down, axis=1)
        skip = (half + lead_in) // down
        out = out[:, skip : skip + n_out]
        if out.shape[1] < n_out:
            out = np.pad(out, ((0, 0), (0, n_out - out.shape[1])))
    line = first + slope * (np.arange(n_out, dtype=np.float32) * np.float32(down / up))
    return np.ascontiguousarray(out + line, dtype=np.float32)


def _by_blocks(x: NDArray[np.float32], up: int, down: int, n_out: int) -> NDArray[np.float32]:
    """The same sums as ``upfirdn``, several outputs at a time as one matrix product: five times as fast."""
    weights, step, lead_in = _block(up, down)
    n_blocks = -(-n_out // weights.shape[1])
    n_needed = (n_blocks - 1) * step + weights.shape[0]
    padded = np.zeros((len(x), max(n_needed, lead_in + x.shape[1])), np.float32)
    padded[:, lead_in : lead_in + x.shape[1]] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[0], axis=1)[:, ::step][
        :, :n_blocks
    ]
    out = np.ascontiguousarray(windows).reshape(-1, weights.shape[0]) @ weights
    return out.reshape(len(x), -1)[:, :n_out]


@lru_cache(maxsize=32)
def _block(up: int, down: int) -> tuple[NDArray[np.float32], int, int]:
    """Weights (inputs, outputs) of one block, how many inputs the next one lies on, and zeros before the first."""
    taps = _taps(up, down)
    half = (len(taps) - 1) // 2
    periods = max(1, round(32 / up))
    lead_in = -(-half // up)
    n_inputs, n_outputs = periods * down + 2 * lead_in, periods * up
    tap = np.arange(n_outputs)[None, :] * down - (np.arange(n_inputs)[:, None] - lead_in) * up + half
    weights = np.where((tap >= 0) & (tap < len(taps)), taps[tap.clip(0, len(taps) - 1)], 0)
    return weights.astype(np.float32), periods * down, lead_in
