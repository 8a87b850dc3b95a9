"""Changed test records: what is left of a probe when records come with noise, at another rate, or with fewer leads?

The probe is fitted on the records as they are; only the test records are changed, before preprocessing, as a user's
ECG of that kind would come:

- ``leads``: the others are NaN, as in a record that does not have them. Preprocessing that completes limb leads computes
  what two of I, II and III say about the rest, so I, II and V1–V6 are then as good as twelve.
- ``rate``: the record is handed over at that sampling rate; preprocessing brings it to the encoder's own.
- ``noise_db``: electrode noise at that signal-to-noise ratio. Nine electrodes have a noise of their own, whose amplitude
  falls with frequency as f to the power of minus a slope between 0 (muscle) and 1 (a moving electrode), and whose size
  differs from electrode to electrode; leads are differences of electrodes, so Einthoven's law holds for the noise too. Both
  powers are means over the leads of what is faster than 0.5 Hz: baseline wander counts neither as signal nor as noise. Slope,
  sizes and noise are drawn from the record's name alone, so the same noise grows from one ratio to the next.

**Source** noise from white to 1/f: as in Moody, Muldrow & Mark 1984, Computers in Cardiology 11:381 (muscle, electrode motion).
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from ..recipe import Part
from ..record.filters import resample
from ..record.leads import complete_leads
from ..record.record import LEADS, Record, canonical_lead
from ..simulator.noise import MONTAGE

_SLOWEST_HZ = 0.5
_ELECTRODE_SD = 0.5  # of the logarithm of an electrode's size
_INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


class Change(Part):
    """One way of changing test records; exactly one of `noise_db`, `rate` and `leads`.

    Attributes
    ----------
    name : str
        The readout is called ``probe:NAME``.
    noise_db : float or None
        Signal-to-noise ratio in dB.
    rate : float or None
        Hz.
    leads : tuple of str
        Those that are kept.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    noise_db: float | None = Field(None, ge=-40, le=80)
    rate: float | None = Field(None, ge=20, le=10_000)
    leads: tuple[str, ...] = ()

    @field_validator("leads")
    @classmethod
    def _distinct(cls, leads: tuple[str, ...]) -> tuple[str, ...]:
        leads = tuple(canonical_lead(lead) for lead in leads)
        if len(set(leads)) != len(leads):
            raise ValueError("expected each lead once")
        return leads

    @model_validator(mode="after")
    def _one(self) -> Change:
        given = [name for name in ("noise_db", "rate", "leads") if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            got = " and ".join(given) or "none of them"
            raise ValueError(f"changed '{self.name}': expected one of noise_db, rate and leads, got {got}")
        return self

    def apply(self, record: Record) -> Record:
        """The changed record.

        Raises
        ------
        BadSamplingRate
            Its rate and the wanted one have no small common fraction.
        """
        if self.rate is not None:
            return resample(record, self.rate)
        if self.noise_db is not None:
            return with_noise(record, self.noise_db)
        return keep_leads(record, self.leads)


def keep_leads(record: Record, leads: tuple[str, ...]) -> Record:
    """The record with every other lead NaN; with none of these leads nothing is left of it."""
    kept = np.isin(record.leads, leads)
    return record.with_(signal=np.where(kept[:, None], record.signal, np.float32(np.nan)))


def with_noise(record: Record, db: float) -> Record:
    """The record with electrode noise `db` below its signal; NaN stays NaN, a record without power is left alone."""
    noise = _electrode_noise(record)
    present = ~np.isnan(record.signal)
    power = _power(np.where(present, record.signal, 0.0), record.fs)[present.any(axis=1)]
    noise_power = _power(np.where(present, noise, 0.0), record.fs)[present.any(axis=1)]
    if not power.size or noise_power.mean() <= 0:
        return record
    scale = np.sqrt(power.mean() / noise_power.mean() * 10 ** (-db / 10))
    return record.with_(signal=record.signal + (scale * noise).astype(np.float32))


def _electrode_noise(record: Record) -> NDArray[np.float64]:
    """Noise of arbitrary size in the record's leads, (lead, time); a lead of no standard name has one electrode of its own."""
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    n, others = record.n_samples, [lead for lead in record.leads if lead not in LEADS]
    slope = rng.uniform()
    sizes = np.exp(_ELECTRODE_SD * rng.standard_normal(9 + len(others)))
    spectrum = np.fft.rfft(rng.standard_normal((9 + len(others), n)))
    hz = np.fft.rfftfreq(n, 1.0 / record.fs)
    weight = np.where(hz >= _SLOWEST_HZ, np.maximum(hz, _SLOWEST_HZ) ** -slope, 0.0)
    electrodes = np.fft.irfft(spectrum * weight, n=n)
    electrodes *= (sizes / np.maximum(electrodes.std(axis=1), 1e-12))[:, None]
    independent = (MONTAGE @ electrodes[:9]).astype(np.float32)
    eight = Record(signal=independent, fs=record.fs, leads=_INDEPENDENT)
    twelve = complete_leads(eight).signal
    rows = {**dict(zip(LEADS, twelve, strict=True)), **dict(zip(others, electrodes[9:], strict=True))}
    return np.stack([rows[lead] for lead in record.leads]).astype(np.float64)


def _power(signal: NDArray[np.floating], fs: float) -> NDArray[np.float64]:
    """Mean square in mV² of what is faster than 0.5 Hz, lead by lead; the straight line between the ends is taken off."""
    n = signal.shape[1]
    line = signal[:, :1] + (signal[:, -1:] - signal[:, :1]) * np.linspace(0, 1, n)
    spectrum = np.fft.rfft(signal - line)
    return 2 * np.square(np.abs(spectrum[:, np.fft.rfftfreq(n, 1.0 / fs) >= _SLOWEST_HZ])).sum(axis=1) / n**2
