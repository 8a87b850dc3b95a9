"""From hearts and beat times to leads, and to the fiducials that follow from the waves themselves.

Each wave of each beat is made on its own short stretch of time, seen through the patient's lead field, delineated
before anything else is added, and then added to the record. So the truth knows no noise and no neighbouring beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hearts import P_AT, P_WIDTH, T_AT, T_WIDTH, Hearts
from .rhythm import Rhythm

Float = NDArray[np.float32]

# Stretch of time on which a wave is made, seconds from the main deflection (P and the atria's repolarisation Ta:
# from the centre of P). Ta is no wave that anybody marks.
_SPANS = {"P": (-0.14, 0.14), "Ta": (-0.06, 0.38), "QRS": (-0.18, 0.24), "T": (0.0, 0.78)}

# A wave begins and ends where, before noise, it leaves and returns to within this level of its own zero: a little more
# than a tenth of a millimetre on paper. In a wave so small that the level were more than this part of its peak, the part
# counts; below its floor a wave is not seen at all. The levels are ours, chosen so that P, PR, QRS and QT agree with
# cardiologists' marks in LUDB's sinus rhythms without block, ischaemia or LVH (benchmarks/simulator_marks.py).
_LEVEL_MV = {"P": 0.012, "QRS": 0.012, "T": 0.015}
_PART = {"P": 0.5, "QRS": 0.2, "T": 0.25}
_FLOOR_MV = {"P": 0.015, "QRS": 0.05, "T": 0.03}


def twelve(eight: Float) -> Float:
    """The twelve leads from I, II, V1–V6: (…, 8, time) → (…, 12, time), exact to the rounding of float32."""
    one, two = eight[..., 0, :], eight[..., 1, :]
    out = np.empty((*eight.shape[:-2], 12, eight.shape[-1]), eight.dtype)
    out[..., 0, :], out[..., 1, :] = one, two
    out[..., 2, :] = two - one
    out[..., 3, :] = -(one + two) / 2
    out[..., 4, :] = one - two / 2
    out[..., 5, :] = two - one / 2
    out[..., 6:, :] = eight[..., 2:, :]
    return out


@dataclass(frozen=True, slots=True)
class Waves:
    """Every beat's fiducials and heights, before noise; M beats, leads in the standard order.

    Attributes
    ----------
    points : ndarray, float64, (M, 12, 3, 3), samples
        Beat, lead, (P, QRS, T), (onset, peak, offset); NaN = absent or not seen.
    global_ : ndarray, float64, (M, 3, 3), samples
    main : ndarray, int64, (M,), samples
        Largest QRS deflection over the leads.
    r_mv, s_mv, t_mv, p_mv, st_mv : ndarray, float32, (M, 12), mV
        Highest and lowest point of QRS (0 when it has none), T and P at their peaks, ST 60 ms after QRS.
    """

    points: NDArray[np.float64]
    global_: NDArray[np.float64]
    main: NDArray[np.int64]
    r_mv: Float
    s_mv: Float
    t_mv: Float
    p_mv: Float
    st_mv: Float


def render(hearts: Hearts, odd: Hearts, rhythm: Rhythm, n_samples: int, fs: float) -> tuple[Float, Waves]:
    """Draw every beat.

    Parameters
    ----------
    hearts, odd : Hearts
        The usual and the premature beats of the same B chests.
    rhythm : Rhythm
    n_samples : int
    fs : float, Hz

    Returns
    -------
    leads : ndarray, float32, (B, 8, time), mV
        I, II, V1–V6 without noise.
    waves : Waves
    """
    out = np.zeros((len(hearts.age), 8, n_samples), np.float32)
    beat = _Beats(hearts, odd, rhythm)
    pieces = {}
    for wave, (low, high) in _SPANS.items():
        first = np.floor((rhythm.time + beat.origin[wave] + low) * fs).astype(np.int64)
        steps = np.arange(int(np.ceil((high - low) * fs)) + 2)
        time = ((first[:, None] + steps) / fs - rhythm.time[:, None]).astype(np.float32)
        leads = np.matmul(beat.lead_field, np.matmul(beat.vectors[wave], beat.bumps(wave, time)))
        if wave == "T":
            leads *= beat.gate(time)[:, None, :]
        _add(out, leads, rhythm.ecg, first)
        if wave != "Ta":
            pieces[wave] = (twelve(leads), first)
    return out, _delineate(pieces, beat, rhythm, fs)


class _Beats:
    """One row a beat of everything a wave needs."""

    def __init__(self, hearts: Hearts, odd: Hearts, rhythm: Rhythm):
        self._hearts, self._odd, self._rhythm = hearts, odd, rhythm
        scale = self.row("t_scale")[:, None] * rhythm.stretch[:, None]
        t_at = self.row("t_at") * rhythm.stretch
        p_scale = self.row("p_scale")[:, None]
        none, before = np.zeros(len(t_at)), -self.row("p_before")
        self.origin = {"P": before, "Ta": before, "QRS": none, "T": none}
        self._at = {
            "P": before[:, None] + P_AT[:2] * p_scale,
            "Ta": before[:, None] + P_AT[2:] * p_scale,
            "QRS": self.row("qrs_at"),
            "T": t_at[:, None] + T_AT * scale,
        }
        self._width = {
            "P": P_WIDTH[:2] * p_scale,
            "Ta": P_WIDTH[2:] * p_scale,
            "QRS": self.row("qrs_width"),
            "T": T_WIDTH * scale,
        }
        gain = rhythm.gain[:, None, None]
        p = self.row("p")
        amplitude = {"P": p[:, :2], "Ta": p[:, 2:], "QRS": self.row("qrs") * gain, "T": self.row("t") * gain}
        self.vectors = {w: np.ascontiguousarray(a.transpose(0, 2, 1), np.float32) for w, a in amplitude.items()}
        self.lead_field = self.row("lead_field").astype(np.float32)
        self.t_onset_s = t_at + (T_AT[2] - 2.0 * T_WIDTH[2]) * scale[:, 0]
        self._gate_s = self.row("gate_s")

    def row(self, name: str) -> NDArray[np.float64]:
        usual, odd = getattr(self._hearts, name)[self._rhythm.ecg], getattr(self._odd, name)[self._rhythm.ecg]
        which = self._rhythm.ectopic.reshape(-1, *[1] * (usual.ndim - 1))
        return np.where(which, odd, usual)

    def bumps(self, wave: str, time: Float) -> Float:
        """Gaussians (beat, kernel, time)."""
        at, width = (a.astype(np.float32)[:, :, None] for a in (self._at[wave], self._width[wave]))
        z = (time[:, None, :] - at) / width
        z *= z
        z *= np.float32(-0.5)
        return np.exp(z, out=z)

    def gate(self, time: Float) -> Float:
        """0 at the main deflection, 1 from twice ``gate_s`` on, half-way at ``gate_s``: smooth (beat, time)."""
        u = np.clip(time / (2 * self._gate_s[:, None].astype(np.float32)), 0, 1)
        return u * u * (3 - 2 * u)


def _add(out: Float, leads: Float, ecg: NDArray[np.int64], first: NDArray[np.int64]) -> None:
    """Add each beat's stretch to its record; what hangs over either end is left out."""
    n = out.shape[2]
    length = leads.shape[2]
    for piece, row, start in zip(leads, ecg.tolist(), first.tolist()):
        low, high = max(start, 0), min(start + length, n)
        if low < high:
            out[row, :, low:high] += piece[:, low - start : high - start]


def _delineate(pieces: dict[str, tuple[Float, NDArray]], beat: _Beats, rhythm: Rhythm, fs: float) -> Waves:
    n_beats = len(rhythm.time)
    points = np.full((n_beats, 12, 3, 3), np.nan)
    heights = {}
    for k, (wave, (leads, first)) in enumerate(pieces.items()):
        begin = None
        if wave == "T":
            begin = np.ceil((rhythm.time + beat.t_onset_s) * fs).astype(np.int64) - first
        marks, heights[wave] = _edges(leads, wave, begin)
        points[:, :, k] = marks + first[:, None, None]
        if wave == "T":
            onset = ((rhythm.time + beat.t_onset_s) * fs)[:, None]
            points[:, :, k, 0] = np.where(np.isnan(points[:, :, k, 1]), np.nan, onset)
    points[rhythm.ectopic, :, 0] = np.nan
    qrs, first = pieces["QRS"]
    main = first + np.argmax(np.abs(qrs).sum(1), axis=1)
    global_ = _over_leads(points, heights)
    t, t_first = pieces["T"]
    j60 = np.clip(np.round(global_[:, 1, 2] + 0.06 * fs) - t_first, 0, t.shape[2] - 1).astype(int)
    return Waves(
        points=points,
        global_=global_,
        main=main,
        r_mv=np.maximum(qrs.max(2), 0),
        s_mv=np.minimum(qrs.min(2), 0),
        t_mv=heights["T"],
        p_mv=np.where(rhythm.ectopic[:, None], 0, heights["P"]),
        st_mv=np.take_along_axis(t, j60[:, None, None], axis=2)[:, :, 0],
    )


def _edges(leads: Float, wave: str, begin: NDArray | None) -> tuple[NDArray[np.float64], Float]:
    """Onset, peak, offset (beat, lead, 3) in samples of the stretch, and the signed height at the peak (beat, lead)."""
    size = np.abs(leads)
    n = size.shape[2]
    if begin is not None:
        size = np.where(np.arange(n) < begin[:, None, None], 0, size)
    peak = np.argmax(size, axis=2)
    at_peak = lambda a: np.take_along_axis(a, peak[..., None], axis=2)[..., 0]  # noqa: E731
    top = at_peak(size)
    level = np.minimum(_PART[wave] * top, _LEVEL_MV[wave])[..., None]
    above = size > level
    onset = np.argmax(above, axis=2)
    offset = n - 1 - np.argmax(above[..., ::-1], axis=2)
    marks = np.stack([_cross(size, level, onset, -1), peak.astype(float), _cross(size, level, offset, 1)], axis=2)
    marks[top < _FLOOR_MV[wave]] = np.nan
    return marks, at_peak(leads)


def _cross(size: Float, level: NDArray, inside: NDArray[np.int64], step: int) -> NDArray[np.float64]:
    """Where `size` crosses `level` between the sample `inside` and its neighbour, by a straight line."""
    outside = np.clip(inside + step, 0, size.shape[2] - 1)
    take = lambda at: np.take_along_axis(size, at[..., None], axis=2)[..., 0].astype(float)  # noqa: E731
    high, low = take(inside), take(outside)
    drop = high - low
    share = np.where(drop > 0, (high - level[..., 0]) / np.where(drop > 0, drop, 1), 0.0)
    return inside + step * np.clip(share, 0, 1)


def _over_leads(points: NDArray[np.float64], heights: dict[str, Float]) -> NDArray[np.float64]:
    """Earliest onset, peak of the lead in which the wave is largest, latest offset: (beat, wave, fiducial)."""
    out = np.full((points.shape[0], 3, 3), np.nan)
    for k, wave in enumerate(heights):
        seen = ~np.isnan(points[:, :, k, 1])
        some = seen.any(1)
        out[:, k, 0] = np.where(some, np.where(seen, points[:, :, k, 0], np.inf).min(1), np.nan)
        out[:, k, 2] = np.where(some, np.where(seen, points[:, :, k, 2], -np.inf).max(1), np.nan)
        lead = np.argmax(np.where(seen, np.abs(heights[wave]), -1), axis=1)
        out[:, k, 1] = np.where(some, points[np.arange(len(points)), lead, k, 1], np.nan)
    return out
