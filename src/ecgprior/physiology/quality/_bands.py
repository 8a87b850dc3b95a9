"""One stretch of an ECG split into frequency bands, all from one Fourier transform.

A band is cut out of the spectrum and transformed back with fewer points, which filters without delay and brings
every recording to about 125 Hz at the price of one short transform. The straight line through a lead's ends is
taken off first, so that the ends do not ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..hum import MAINS_HZ, without_hum

LOW_FS = 125.0
_SLOW_HZ, _WAVES_HZ, _QRS_HZ, _MUSCLE_HZ = 0.67, (0.67, 40.0), (6.0, 25.0), (20.0, 47.0)
_QRS_EDGE_HZ, _MUSCLE_EDGE_HZ = 3.0, 12.0  # soft edges: a hard one rings for long after each QRS
_MAINS_WIDTH_HZ = 0.5
_PAD_S = 1.0


@dataclass(frozen=True, eq=False)
class Bands:
    """A stretch of (lead, time) without gaps, and its parts by frequency.

    Parameters
    ----------
    signal : ndarray, float32, (L, T), mV
        Finite.
    fs : float
        Hz.
    """

    signal: NDArray[np.float32]
    fs: float

    @cached_property
    def _level(self) -> NDArray[np.float32]:
        return np.asarray(self.signal.mean(axis=1, keepdims=True), np.float32)

    @cached_property
    def _size(self) -> int:
        """Points of the transform: the stretch, and a second on which its end returns to its beginning."""
        return int(fft.next_fast_len(self.signal.shape[1] + round(_PAD_S * self.fs), real=True))

    @cached_property
    def spectrum(self) -> NDArray[np.complex64]:
        """Fourier transform, (L, F), of the signal less its mean, padded by a smooth way back to its beginning."""
        return self._transformed(self.signal)

    @cached_property
    def calm(self) -> NDArray[np.complex64]:
        """The same without a loud hum of the mains: its cut ends would ring through all bands, like beats."""
        calm = without_hum(self.signal, self.fs)
        return self.spectrum if calm is self.signal else self._transformed(calm)

    def _transformed(self, signal: NDArray[np.float32]) -> NDArray[np.complex64]:
        count = signal.shape[1]
        x = np.empty((len(signal), self._size), np.float32)
        np.subtract(signal, self._level, out=x[:, :count])
        way = (
            0.5 - 0.5 * np.cos(np.pi * np.arange(1, self._size - count + 1) / (self._size - count + 1))
        ).astype(np.float32)
        x[:, count:] = x[:, count - 1 : count] + (x[:, :1] - x[:, count - 1 : count]) * way
        return np.asarray(fft.rfft(x, axis=1), np.complex64)

    @cached_property
    def low_fs(self) -> float:
        """Rate of the parts, in Hz: about 125, or the stretch's own when that is lower."""
        return self.fs * self._low_size / self._size

    @cached_property
    def _low_size(self) -> int:
        if self.fs <= LOW_FS:
            return self._size
        return int(fft.next_fast_len(round(self._size * LOW_FS / self.fs), real=True))

    def part(self, low_hz: float, high_hz: float, edge_hz: float = 0.0) -> NDArray[np.float32]:
        """What lies from `low_hz` to `high_hz`: float32, (L, T'), mV at :attr:`low_fs`; edges rise over `edge_hz`."""
        step = self.fs / self._size
        most = self._low_size // 2 + 1
        first, last = max(0, int(np.ceil(low_hz / step))), min(most - 1, int(high_hz / step))
        kept = np.zeros((len(self.signal), most), np.complex64)
        if last >= first:
            kept[:, first : last + 1] = self.calm[:, first : last + 1]
            if edge_hz:
                hz = np.arange(first, last + 1) * step
                inside = np.minimum(hz - low_hz, high_hz - hz).clip(0, edge_hz)
                kept[:, first : last + 1] *= np.square(np.sin(0.5 * np.pi * inside / edge_hz)).astype(
                    np.float32
                )
        out = fft.irfft(kept, n=self._low_size, axis=1) * (self._low_size / self._size)
        return np.asarray(
            out[:, : max(1, round(self.signal.shape[1] * self._low_size / self._size))], np.float32
        )

    @cached_property
    def slow(self) -> NDArray[np.float32]:
        """Baseline: below 0.67 Hz, without the mean."""
        return self.part(0.0, _SLOW_HZ)

    @cached_property
    def waves(self) -> NDArray[np.float32]:
        """P, QRS and T: 0.67 to 40 Hz."""
        return self.part(*_WAVES_HZ)

    @cached_property
    def qrs(self) -> NDArray[np.float32]:
        """Where the QRS stands out most: 6 to 25 Hz."""
        return self.part(*_QRS_HZ, _QRS_EDGE_HZ)

    @cached_property
    def muscle(self) -> NDArray[np.float32]:
        """Where muscles outweigh the heart between beats: 20 to 47 Hz, below the mains of any country."""
        return self.part(*_MUSCLE_HZ, _MUSCLE_EDGE_HZ)

    def mains(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The mains' line: amplitude in mV, share of the power above 30 Hz, and its frequency; each (L,).

        The power within 0.5 Hz of 50 and of 60 Hz, less what as wide a band beside it holds; NaN where the rate is
        too low to see it.
        """
        n_leads, step = len(self.signal), self.fs / self._size
        nothing = np.full(n_leads, np.nan)
        if self.fs < 2 * (MAINS_HZ[0] + 4 * _MAINS_WIDTH_HZ):
            return nothing, nothing, nothing
        high = self.spectrum[:, int(30 / step) :]
        power = np.square(high.real) + np.square(high.imag)
        power *= np.float32(2.0 / (self._size * float(self.signal.shape[1])))
        total = power.sum(axis=1, dtype=np.float64)
        hz, wide, lines = np.arange(int(30 / step), self.spectrum.shape[1]) * step, _MAINS_WIDTH_HZ, []
        for mains_hz in MAINS_HZ:
            away = np.abs(hz - mains_hz)
            beside = power[:, (away > wide) & (away <= 3 * wide)].sum(axis=1) / 2
            lines.append((power[:, away <= wide].sum(axis=1) - beside).clip(0))
        line = np.stack(lines)
        which = line.argmax(axis=0)
        best = line[which, np.arange(n_leads)]
        share = np.divide(best, total, out=np.zeros(n_leads), where=total > 1e-12)
        return np.sqrt(2 * best), share, np.asarray(MAINS_HZ)[which]
