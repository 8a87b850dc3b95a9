import pytest

from ecgprior.errors import BadUnit
from ecgprior.units import mv_per


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("mV", 1), ("mv", 1), ("MV", 1), ("uV", 1e-3), ("µV", 1e-3), ("μV", 1e-3), (" V ", 1e3), ("nV", 1e-6)],
)
def test_millivolts_per_unit(unit, factor):
    assert mv_per(unit) == factor


@pytest.mark.parametrize("unit", ["", "mmHg", "counts", "kV"])
def test_other_units_are_refused(unit):
    with pytest.raises(BadUnit, match="expected one of V, mV, uV, nV"):
        mv_per(unit)
