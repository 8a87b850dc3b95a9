"""Clean simulated ECGs, and faults made by arithmetic."""

from collections.abc import Callable

import numpy as np
import pytest

from ecgprior.record.record import Record
from ecgprior.simulator.simulate import simulate


@pytest.fixture(scope="session")
def clean() -> list[Record]:
    """Twelve simulated normal ECGs of 10 s at 500 Hz with a little noise."""
    return [s.record for s in simulate(12, seed=11, causes=["NORM"], noise=0.3)]


@pytest.fixture
def spoil() -> Callable[..., Record]:
    """``spoil(record, lead, function)``: one lead's trace replaced by a function of it and of time in seconds."""

    def spoiled(record: Record, lead: str, function: Callable) -> Record:
        signal = record.signal.copy()
        row = record.leads.index(lead)
        signal[row] = function(signal[row].astype(np.float64), np.arange(record.n_samples) / record.fs)
        return record.with_(signal=signal)

    return spoiled
