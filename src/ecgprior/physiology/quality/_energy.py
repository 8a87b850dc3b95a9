"""Evidence of beats without a trained network: where all leads together jump.

Each lead's 6–25 Hz part is squared and divided by its own typical peak, so that no lead shouts the others down; the
median-like mean over leads, smoothed, has a hill at every QRS. This is no beat detector – ``detect_beats`` is – but
it is independent of one, costs a fraction of a millisecond, and on garbage it finds garbage, which the agreement
between beats then shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

_SMOOTH_S, _REFRACTORY_S, _PEAK_S = 0.10, 0.27, 1.6


def energy_peaks(qrs: NDArray[np.float32], fs: float) -> NDArray[np.int64]:
    """Samples at which a beat probably is.

    Parameters
    ----------
    qrs : ndarray, float32, (L, T), mV
        The 6–25 Hz part of the leads that move.
    fs : float
        Its rate, Hz.

    Returns
    -------
    ndarray, int64, (K,)
        Increasing; empty where nothing stands out or the stretch is under a second.
    """
    count = qrs.shape[1]
    if not len(qrs) or count < fs:
        return np.empty(0, np.int64)
    energy = qrs * qrs
    width = max(1, round(_PEAK_S * fs))
    usable = energy[:, : max(1, count // width) * width]
    peaks = np.median(usable.reshape(len(qrs), -1, min(width, count)).max(axis=2), axis=1)
    moving = peaks > 0
    if not moving.any():
        return np.empty(0, np.int64)
    scaled = np.minimum(energy[moving] / peaks[moving, None], 2.0)
    hill = uniform_filter1d(scaled.mean(axis=0), max(3, round(_SMOOTH_S * fs)), mode="constant")
    reach = max(1, round(_REFRACTORY_S * fs))
    top = maximum_filter1d(hill, 2 * reach + 1, mode="constant")
    typical = np.median(maximum_filter1d(hill, width, mode="nearest")[:: max(1, width // 2)])
    peaks = np.flatnonzero((hill == top) & (hill > 0.3 * typical) & (hill > 0))
    return peaks[np.diff(peaks, prepend=-reach - 1) > reach].astype(np.int64)
