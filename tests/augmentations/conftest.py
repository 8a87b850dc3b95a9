"""A batch of one slow heart: each beat a P, a QRS and a T of one sample's height each, marked."""

import pytest
import torch

from ecgprior.batch import Batch, BatchRandom


@pytest.fixture
def heart():
    """`n` windows of 3 leads, 8 s at 250 Hz; QRS 1 mV at 0.5 s, 1.5 s, …; lead 2 is not marked."""

    def made(n=4, fs=250.0, seconds=8.0):
        time = torch.arange(round(seconds * fs))
        at = time.remainder(round(fs))
        place = {1: (0.30, 0.38, 0.2), 2: (0.45, 0.55, 1.0), 3: (0.70, 0.85, 0.4)}
        signal, waves = torch.full((len(time),), 0.05), torch.zeros(len(time), dtype=torch.int8)
        for wave, (first, last, mv) in place.items():
            inside = (at >= first * fs) & (at < last * fs)
            signal[inside], waves[inside] = mv, wave
        both = waves.expand(n, 3, -1).clone()
        both[:, 2] = -1
        return Batch(
            signal=signal.expand(n, 3, -1).clone(),
            lead_mask=torch.ones(n, 3, dtype=torch.bool),
            valid=torch.ones(n, len(time), dtype=torch.bool),
            row=torch.arange(n),
            start=torch.zeros(n, dtype=torch.int64),
            patient=torch.arange(n),
            columns={"waves": both, "simulated": torch.zeros(n, dtype=torch.bool)},
            fs=fs,
        )

    return made


@pytest.fixture
def apply():
    """An augmentation on a batch, at a step."""
    return lambda augmentation, batch, step=0: augmentation(batch, BatchRandom.for_batch(0, step, batch))
