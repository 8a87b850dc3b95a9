"""One ECG: its signal in millivolts, its sampling rate, its leads by name, and who it is from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BadSamplingRate, LeadMissing, RecordError, ShapeError, nearest
from ..units import mv_per

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads, in the order in which ecgprior keeps them."""

_CANONICAL = {lead.casefold(): lead for lead in LEADS}


def canonical_lead(name: str) -> str:
    """The standard spelling of a lead's name; a name that is none of the twelve is kept, stripped.

    >>> [canonical_lead(n) for n in ("AVR", "ii", " v1 ", "MLII", "Vx")]
    ['aVR', 'II', 'V1', 'MLII', 'Vx']
    """
    name = str(name).strip()
    return _CANONICAL.get(name.casefold(), name)


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the ECG is from; None where it is not known.

    Attributes
    ----------
    id : str or None
    age : float or None
        Years.
    sex : str or None
        ``"female"`` or ``"male"``; anything else a file says is None.
    """

    id: str | None = None
    age: float | None = None
    sex: str | None = None


def tally(codes: Iterable[str], most: int = 6) -> str:
    """How often the most frequent codes occur, for a ``repr``.

    >>> tally("NNVNN"), tally("")
    (': N 4, V 1', '')
    """
    counts = Counter(codes)
    listed = [f"{code} {n}" for code, n in counts.most_common(most)] + ["…"] * (len(counts) > most)
    return f": {', '.join(listed)}" if listed else ""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Marks published with a record (beats, waves, rhythm changes), as their file orders them.

    Attributes
    ----------
    sample : ndarray, int64, (N,)
        Sample of the record's own rate, from 0.
    symbol : tuple of str, (N,)
        The publisher's code: ``"N"``, ``"("``, ``"p"``, ``"+"``, …
    lead : tuple of str or None, (N,)
        The lead a mark belongs to; None = all leads.
    note : tuple of str, (N,)
        Free text of the mark (``"(AFIB"``), or an empty string.
    """

    sample: NDArray[np.int64]
    symbol: tuple[str, ...]
    lead: tuple[str | None, ...]
    note: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sample)

    def __repr__(self) -> str:
        return f"Annotations({len(self)} marks{tally(self.symbol)})"


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """One ECG recording.

    Parameters
    ----------
    signal : array_like, (lead, time), in `unit`
        Any real numeric type; NaN = not recorded. Kept as float32 millivolts.
    fs : float
        Sampling rate in Hz, > 0.
    leads : sequence of str, (lead,)
        Names; the twelve standard ones are brought to their canonical spelling, others are kept.
    unit : str, default "mV"
        ``"V"``, ``"mV"``, ``"uV"`` or ``"nV"``. Only read on construction: ``record.signal`` is in mV.
    name : str
        The record's own name.
    patient : Patient
    header : mapping of str to str
        Free header fields of the file.
    source : str
        The file it was read from, or an empty string.
    annotations : Annotations or None
        Published marks, when the file carries them and they were asked for.

    Raises
    ------
    ShapeError
        Not two-dimensional, not numeric, or as many leads as names is not given.
    BadSamplingRate
        `fs` is not a finite number above 0.
    RecordError
        Two leads of the same name, or no sample at all.
    BadUnit
        `unit` is unknown.

    Examples
    --------
    >>> ecg = Record(signal=np.zeros((2, 500)), fs=500, leads=["i", "ii"])
    >>> ecg
    Record(2 leads I, II; 1 s at 500 Hz)
    >>> ecg.lead("II").shape
    (500,)
    """

    signal: NDArray[np.float32]
    fs: float
    leads: tuple[str, ...] = LEADS
    unit: str = "mV"
    name: str = ""
    patient: Patient = field(default_factory=Patient)
    header: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    annotations: Annotations | None = None

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        leads = tuple(canonical_lead(lead) for lead in self.leads)
        signal = _millivolts(self.signal, self.unit, len(leads))
        if len(set(leads)) != len(leads):
            double = next(lead for lead in leads if leads.count(lead) > 1)
            raise RecordError(
                f"lead '{double}' occurs twice: expected every lead once, got {', '.join(leads)}"
            )
        try:
            fs = float(self.fs)
        except (TypeError, ValueError):
            fs = float("nan")
        if not (isfinite(fs) and fs > 0):
            raise BadSamplingRate(f"sampling rate: expected a finite number of Hz above 0, got {self.fs!r}")
        signal.flags.writeable = False
        put("signal", signal)
        put("fs", fs)
        put("leads", leads)
        put("unit", "mV")
        put("header", MappingProxyType(dict(self.header)))

    @property
    def n_samples(self) -> int:
        """Samples a lead."""
        return self.signal.shape[1]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.fs

    def lead(self, name: str) -> NDArray[np.float32]:
        """One lead's trace: float32, (time,), mV.

        Raises
        ------
        LeadMissing
            The record has no such lead.
        """
        name = canonical_lead(name)
        if name not in self.leads:
            listed = ", ".join(self.leads)
            raise LeadMissing(
                f"lead '{name}' is not in this record: expected one of {listed}.{nearest(name, self.leads)}"
            )
        return self.signal[self.leads.index(name)]

    def pick(self, leads: Iterable[str]) -> Record:
        """The record with just these leads in this order; absent ones are NaN, nothing is computed."""
        leads = tuple(canonical_lead(lead) for lead in leads)
        signal = np.full((len(leads), self.n_samples), np.nan, np.float32)
        for row, name in enumerate(leads):
            if name in self.leads:
                signal[row] = self.signal[self.leads.index(name)]
        return self.with_(signal=signal, leads=leads)

    def with_(self, **changes: Any) -> Record:
        """A copy with some fields replaced; a replaced ``signal`` is in mV."""
        return replace(self, **{"unit": "mV", **changes})

    def __repr__(self) -> str:
        name = f"'{self.name}': " if self.name else ""
        rate = f"{self.seconds:g} s at {self.fs:g} Hz"
        return f"Record({name}{len(self.leads)} leads {', '.join(self.leads)}; {rate})"

    def __getstate__(self) -> dict[str, Any]:
        state = {f: getattr(self, f) for f in self.__dataclass_fields__}
        return state | {"header": dict(self.header)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "header", MappingProxyType(dict(self.header)))
        self.signal.flags.writeable = False


def _millivolts(signal: ArrayLike, unit: str, n_leads: int) -> NDArray[np.float32]:
    array = np.asarray(signal)
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"signal: expected real numbers, got dtype {array.dtype}")
    if array.ndim != 2:
        raise ShapeError(f"signal: expected two dimensions (lead, time), got shape {array.shape}")
    if array.shape[0] != n_leads:
        hint = " The array looks like (time, lead): pass signal.T." if array.shape[1] == n_leads else ""
        raise ShapeError(f"signal: expected {n_leads} leads as named, got shape {array.shape}.{hint}")
    if array.size == 0:
        raise RecordError(f"signal: expected at least one lead and one sample, got shape {array.shape}")
    factor = mv_per(unit)
    if array.dtype == np.float32 and factor == 1.0 and _is_frozen(array):
        return array
    if array.dtype.kind == "f" and factor == 1.0:
        return np.array(array, dtype=np.float32, order="C")
    return np.ascontiguousarray(array * np.float64(factor), dtype=np.float32)


def _is_frozen(array: NDArray[Any]) -> bool:
    """Nobody can write to it, so it need not be copied: a signal of another record, or of our readers."""
    flags = array.flags
    return type(array) is np.ndarray and flags.c_contiguous and flags.owndata and not flags.writeable
