"""Preprocessing: the one place where a record becomes the array that an encoder is given.

Training, embedding and the ONNX export all go through :class:`Preprocessing`; a checkpoint stores its fields,
so what was trained is what is served. The order is fixed and is the order of the fields.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from ..recipe import Part
from .filters import remove_baseline, remove_mains, resample
from .leads import complete_leads
from .record import LEADS, Record, canonical_lead

_MIN_SD_MV = 0.01  # z-scores of a lead quieter than 10 µV would be amplified noise


class Preprocessing(Part):
    """How records are made equal before an encoder sees them.

    Attributes
    ----------
    fs : float
        Sampling rate of the result in Hz.
    leads : tuple of str
        Leads of the result, in order.
    complete : bool
        Compute absent limb leads from the others (:func:`~ecgprior.record.leads.complete_leads`).
    baseline_hz : float or None
        Cut-off of the zero-phase high-pass; None = none.
    mains_hz : float or None
        Mains frequency taken off by notches; None = none.
    clip_mv : float or None
        Largest absolute amplitude in mV, anything beyond is set to it; None = not clipped.
    normalise : {"none", "lead", "record"}
        ``"lead"``: mean 0 and standard deviation 1 for each lead over the whole record. ``"record"``: mean 0
        for each lead, one standard deviation for all of them, which keeps the leads' proportions. Standard
        deviations below 10 µV count as 10 µV, so that a flat lead gives 0.

    Examples
    --------
    >>> plan = Preprocessing(fs=250, normalise="lead")
    >>> signal, present = plan.apply(Record(signal=np.ones((2, 500)), fs=500, leads=["I", "II"]))
    >>> signal.shape, present.sum()
    ((12, 250), np.int64(6))
    """

    fs: float
    leads: tuple[str, ...] = LEADS
    complete: bool = True
    baseline_hz: float | None = None
    mains_hz: float | None = None
    clip_mv: float | None = None
    normalise: Literal["none", "lead", "record"] = "none"

    @field_validator("fs", "clip_mv", "baseline_hz", "mains_hz")
    @classmethod
    def _above_zero(cls, value: float | None) -> float | None:
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError("expected a finite number above 0")
        return value

    @field_validator("leads")
    @classmethod
    def _distinct(cls, leads: tuple[str, ...]) -> tuple[str, ...]:
        leads = tuple(canonical_lead(lead) for lead in leads)
        if not leads or len(set(leads)) != len(leads):
            raise ValueError("expected at least one lead, each once")
        return leads

    @model_validator(mode="after")
    def _below_half_rate(self) -> Preprocessing:
        for name in ("baseline_hz", "mains_hz"):
            value = getattr(self, name)
            if value is not None and value >= self.fs / 2:
                raise ValueError(f"{name}: expected below half of fs = {self.fs:g} Hz, got {value:g}")
        return self

    def apply(self, record: Record) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Preprocess one record.

        Parameters
        ----------
        record : Record

        Returns
        -------
        signal : ndarray, float32, (L, T)
            In mV, or without unit when normalised; 0 where the record has NaN.
        lead_mask : ndarray, bool, (L,)
            False = the lead is absent (all NaN): it is all 0 in `signal`.
        """
        if self.complete:
            record = complete_leads(record)
        record = resample(record.pick(self.leads), self.fs)
        if self.baseline_hz is not None:
            record = remove_baseline(record, self.baseline_hz)
        if self.mains_hz is not None:
            record = remove_mains(record, self.mains_hz)
        signal = record.signal.copy()
        if self.clip_mv is not None:
            np.clip(signal, -self.clip_mv, self.clip_mv, out=signal)
        missing = ~np.isfinite(signal)
        lead_mask: NDArray[np.bool_] = np.asarray(~missing.all(axis=1))
        signal[missing] = 0.0
        if self.normalise != "none":
            signal = self._normalised(signal, missing)
        return np.ascontiguousarray(signal, dtype=np.float32), lead_mask

    def _normalised(self, signal: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
        n = np.maximum((~missing).sum(axis=1, keepdims=True), 1)
        centred = signal - signal.sum(axis=1, keepdims=True, dtype=np.float64) / n
        centred[missing] = 0.0
        squares = np.square(centred).sum(axis=1, keepdims=True)
        if self.normalise == "record":
            squares, n = squares.sum(keepdims=True), np.maximum((~missing).sum(), 1)
        return (centred / np.maximum(np.sqrt(squares / n), _MIN_SD_MV)).astype(np.float32)

    def explain(self) -> list[str]:
        """One sentence a step, in the order in which they are applied."""
        steps = ["Amplitudes are in mV."]
        if self.complete:
            steps.append("Absent limb leads are computed from two of I, II, III.")
        steps.append(f"Leads are taken in the order {', '.join(self.leads)}; absent ones are masked and 0.")
        steps.append(f"The signal is resampled to {self.fs:g} Hz by a polyphase filter.")
        if self.baseline_hz is not None:
            steps.append(
                f"What is slower than {self.baseline_hz:g} Hz is taken off by a zero-phase high-pass."
            )
        if self.mains_hz is not None:
            steps.append(f"{self.mains_hz:g} Hz and its multiples are taken off by zero-phase notches.")
        if self.clip_mv is not None:
            steps.append(f"Amplitudes beyond ±{self.clip_mv:g} mV are set to ±{self.clip_mv:g} mV.")
        if self.normalise == "lead":
            steps.append(
                "Each lead is brought to mean 0 and standard deviation 1 over the record (at least 10 µV)."
            )
        if self.normalise == "record":
            steps.append(
                "Each lead is brought to mean 0, then all are divided by their common standard deviation."
            )
        steps.append("Missing samples are 0.")
        return steps
