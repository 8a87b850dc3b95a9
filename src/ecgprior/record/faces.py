"""What one does to an ECG, as ``ecgprior`` offers it: each function takes a record, a path, or an array with its rate.

Inside the library the same functions (``leads.py``, ``filters.py``) take a :class:`Record` and nothing else.

>>> check_leads([[0.0, 0.1, 0.0], [0.0, 0.3, 0.1], [0.0, 0.2, 0.1]], fs=500, leads=["I", "II", "III"]).ok
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, getdoc, signature
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import ArrayLike

from . import filters, leads
from .read import to_record
from .record import Record

_Result = TypeVar("_Result")
_ALSO = (
    "In the record's place may stand a path, or an array, real, (lead, time), with its rate `fs` in Hz; `leads` and\n"
    '`unit` (``"uV"``; None = mV) are given as for :func:`ecgprior.read`, where path or array do not say them.'
)


def of_anything(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """The same function, whose first argument may also be what :func:`~ecgprior.record.read.to_record` takes."""

    @wraps(function)
    def given(
        record: Record | str | Path | ArrayLike,
        *more: Any,
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        unit: str | None = None,
        **settings: Any,
    ) -> _Result:
        return function(to_record(record, fs=fs, leads=leads, unit=unit), *more, **settings)

    plain = signature(function)
    about = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in ("fs", "leads", "unit")]
    about_record, _, rest = (getdoc(function) or "").partition("\n\n")
    given.__doc__ = f"{about_record}\n\n{_ALSO}\n\n{rest}"
    given.__signature__ = plain.replace(parameters=[*plain.parameters.values(), *about])  # type: ignore[attr-defined]
    return given


complete_leads = of_anything(leads.complete_leads)
check_leads = of_anything(leads.check_leads)
remove_baseline = of_anything(filters.remove_baseline)
remove_mains = of_anything(filters.remove_mains)
crop = of_anything(filters.crop)


def resample(
    record: Record | str | Path | ArrayLike,
    to_fs: float | None = None,
    *,
    fs: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> Record:
    """The record at another sampling rate; annotations move along.

    Parameters
    ----------
    record : Record, path or array_like, real, (lead, time)
    to_fs : float
        The wanted rate in Hz, > 0. When it is left out, `fs` is the wanted rate.
    fs : float or None
        The rate that an array has, or a file does not say.
    leads, unit
        As for :func:`~ecgprior.record.read.read`.

    Raises
    ------
    BadSamplingRate
        A rate is not a finite number above 0, is not known, or the two have no small common fraction.

    Examples
    --------
    >>> resample([[0.0, 0.1, 0.0, 0.1]], 250, fs=500, leads=["II"]).n_samples
    2
    """
    if to_fs is None:
        to_fs, fs = fs, None
    if to_fs is None:
        raise TypeError("resample: expected the wanted rate, as in resample(record, 100)")
    return filters.resample(to_record(record, fs=fs, leads=leads, unit=unit), to_fs)
