"""Units of voltage: every signal inside ecgprior is in millivolts."""

from __future__ import annotations

from .errors import BadUnit, nearest

_MV_PER_UNIT = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "nv": 1e-6}
_MICRO = str.maketrans({"µ": "u", "μ": "u"})  # U+00B5 micro sign, U+03BC Greek mu


def mv_per(unit: str) -> float:
    """Millivolts in one `unit`.

    Parameters
    ----------
    unit : str
        ``"V"``, ``"mV"``, ``"uV"`` / ``"µV"`` or ``"nV"``, in any case.

    Raises
    ------
    BadUnit
        The unit is none of these.

    Examples
    --------
    >>> mv_per("µV"), mv_per("mv"), mv_per("V")
    (0.001, 1.0, 1000.0)
    """
    factor = _MV_PER_UNIT.get(str(unit).strip().translate(_MICRO).casefold())
    if factor is None:
        options = ("V", "mV", "uV", "nV")
        raise BadUnit(f"unit '{unit}' is unknown: expected one of {', '.join(options)}.{nearest(unit, options)}")
    return factor
