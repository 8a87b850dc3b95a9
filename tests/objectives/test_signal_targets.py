"""What a lead's trace is like, against a loop over seconds in NumPy; absent leads and padding cost nothing."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch
from ecgprior.objectives._signal_targets import N_KINDS, SignalTargets, trace_numbers

FS = 20.0


def batch_of(signal, lengths=None, absent=()):
    n, leads, samples = signal.shape
    lengths = torch.tensor([samples] * n if lengths is None else lengths)
    mask = torch.ones(n, leads, dtype=torch.bool)
    for lead in absent:
        mask[:, lead] = False
    return Batch(
        signal=signal,
        lead_mask=mask,
        valid=torch.arange(samples) < lengths[:, None],
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n),
        fs=FS,
    )


def naive(trace, fs):
    """One lead, second by second."""
    size = min(round(fs), len(trace))
    spread, steep, level = [], [], []
    for start in range(0, len(trace) - size + 1, size):
        second = trace[start : start + size]
        spread.append(second.std(ddof=1))
        steep.append(np.abs(np.diff(second)).mean() * fs / 20)
        level.append(np.sort(second)[(size - 1) // 2])
    numbers = [max(spread), min(spread), np.mean(spread), max(steep), min(steep), max(level) - min(level)]
    return (np.log10(np.minimum(numbers, 1000) + 0.003) + 0.8) / 0.4


@pytest.mark.parametrize("samples", [100, 93, 20, 11])
def test_the_numbers_equal_a_loop_over_seconds(samples):
    signal = torch.tensor(np.random.default_rng(0).normal(size=(3, 2, samples)).cumsum(2))
    signal[1, 0] = 0
    batch = batch_of(signal)
    found, known = trace_numbers(batch.signal, batch.lead_mask, batch.valid, FS)
    assert known.all()
    for b, lead in np.ndindex(3, 2):
        np.testing.assert_allclose(found[b, lead], naive(signal[b, lead].numpy(), FS), atol=1e-9)


def test_a_flat_lead_and_a_noisy_one_lie_on_either_side_of_an_ecg():
    signal = torch.zeros(1, 3, 100)
    signal[0, 1, ::20] = 1.0  # a beat a second, level between them
    signal[0, 2] = torch.randn(100, generator=torch.Generator().manual_seed(0))
    batch = batch_of(signal)
    found, _ = trace_numbers(batch.signal, batch.lead_mask, batch.valid, FS)
    flat, beats, noise = found[0]
    assert (flat[:5] < beats[:5]).all() and (beats[:5] < noise[:5]).all()
    assert flat.max() == flat.min() and torch.isfinite(found).all()


def test_padding_and_absent_leads_have_no_influence():
    torch.manual_seed(0)
    targets = SignalTargets(5, 2, FS).double()
    pooled = torch.randn(2, 5, dtype=torch.float64)
    signal = torch.randn(2, 2, 90, dtype=torch.float64)
    short = targets(pooled, batch_of(signal[:, :, :60], absent=[1]))
    signal[:, :, 60:], signal[:, 1] = 50.0, 7.0
    assert targets(pooled, batch_of(signal, lengths=[60, 60], absent=[1])) == short


def test_value_and_gradient_are_those_of_the_mean_over_known_leads():
    torch.manual_seed(0)
    targets = SignalTargets(4, 3, FS).double()
    pooled = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    batch = batch_of(torch.randn(2, 3, 60, dtype=torch.float64), lengths=[60, 15])  # the second: no whole second
    loss = targets(pooled, batch)
    made = targets.head(pooled)[0].reshape(3, N_KINDS)
    wanted = np.array([naive(batch.signal[0, lead].numpy(), FS) for lead in range(3)])
    away = (made - torch.tensor(wanted)).abs()
    mean = torch.where(away < 1, 0.5 * away**2, away - 0.5).mean()
    assert loss.item() == pytest.approx(mean.item(), rel=1e-9)
    (own,) = torch.autograd.grad(loss, pooled, retain_graph=True)
    (naively,) = torch.autograd.grad(mean, pooled)
    torch.testing.assert_close(own, naively)
    assert (own[1] == 0).all() and own[0].abs().min() > 0


def test_windows_without_a_whole_second_cost_nothing():
    targets = SignalTargets(4, 2, FS)
    pooled = torch.randn(2, 4, requires_grad=True)
    loss = targets(pooled, batch_of(torch.randn(2, 2, 40), lengths=[5, 0]))
    loss.backward()
    assert loss.item() == 0 and (pooled.grad == 0).all()
