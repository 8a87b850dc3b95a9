"""Are these millivolts? Evidence from the amplitudes that a unit or a gain is wrong.

The measure is the median, over leads and one-second stretches, of the peak-to-peak amplitude: mostly the QRS.
In the recordings of a dozen public 12-lead sets it lies between 0.1 and 4 mV. A file in another unit is off by
a factor of 1,000; what lies between is left alone. Less than a second may lie between two beats: that it is small says
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .record import Record

_LOW_MV, _HIGH_MV = 0.02, 20.0


@dataclass(frozen=True, slots=True)
class AmplitudeCheck:
    """What the amplitudes say about the unit.

    Attributes
    ----------
    ok : bool
        The amplitudes can be millivolts (or there is nothing to judge: all flat or NaN, or small in less than a second).
    median_qrs_mv : float
        Median peak-to-peak amplitude of one-second stretches over the leads that move, as if in mV; NaN when
        none moves.
    factor : float
        What the signal would have to be multiplied by: 1 when `ok`.
    finding : str
        ``"looks like µV: median QRS 1,100; pass unit='uV'"``, or an empty string.
    """

    ok: bool
    median_qrs_mv: float
    factor: float = 1.0
    finding: str = ""


def check_amplitude(record: Record) -> AmplitudeCheck:
    """Judge whether the amplitudes of a record can be millivolts.

    Parameters
    ----------
    record : Record

    Returns
    -------
    AmplitudeCheck

    Examples
    --------
    >>> beat = np.zeros((1, 5000)); beat[0, ::400] = 1100
    >>> check_amplitude(Record(signal=beat, fs=500, leads=["II"])).finding
    "looks like µV: median QRS 1,100; pass unit='uV'"
    """
    width = max(1, min(round(record.fs), record.n_samples))
    count = record.n_samples // width
    step = max(1, count // 64)  # a night-long record needs no more evidence than a minute of it
    pieces = record.signal[:, : count * width].reshape(len(record.leads), count, width)[:, ::step]
    finite = np.asarray(np.isfinite(pieces).all(axis=2))
    ranges = np.ptp(np.where(finite[..., None], pieces, 0.0), axis=2).astype(np.float64)
    moving = ranges[ranges > 0]
    if not len(moving):
        return AmplitudeCheck(True, float("nan"))
    median = float(np.median(moving))
    if median > _HIGH_MV:
        unit, factor = ("µV", 1e-3) if median < _HIGH_MV * 1e3 else ("nV", 1e-6)
    elif median < _LOW_MV and record.n_samples >= round(record.fs):
        unit, factor = "V", 1e3
    else:
        return AmplitudeCheck(True, median)
    shown = f"{median:,.0f}" if median >= 10 else f"{median:.2g}"
    if not _LOW_MV <= median * factor <= _HIGH_MV:
        return AmplitudeCheck(
            False, median, float("nan"), f"looks like no unit of voltage: median QRS {shown}; pass its unit"
        )
    code = unit.replace("µ", "u")
    return AmplitudeCheck(False, median, factor, f"looks like {unit}: median QRS {shown}; pass unit='{code}'")


def other_unit(record: Record) -> str:
    """What :func:`check_amplitude` finds in a record whose range as a whole is no millivolts' either; else empty.

    It costs a look at the largest and the smallest sample where nothing is wrong. A single lead that moves as an ECG does
    is enough to believe that small amplitudes are millivolts: the others may be flat.

    Parameters
    ----------
    record : Record
    """
    with np.errstate(invalid="ignore"):
        size = np.fmax.reduce(record.signal, axis=None) - np.fmin.reduce(record.signal, axis=None)
    return "" if _LOW_MV <= size <= _HIGH_MV else check_amplitude(record).finding
