"""ST-MEM against a naive loop in NumPy float64: value and gradient; what is hidden, and what the decoder sees."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.objectives.st_mem import STMEM, hidden_mse
from ecgprior.record.record import LEADS


def naive(guess, pieces, hidden, normalise):
    """One hidden patch at a time."""
    losses = []
    for index in zip(*np.nonzero(hidden)):
        target = pieces[index]
        if normalise:
            target = (target - target.mean()) / np.sqrt(target.var(ddof=1) + 1e-6)
        losses.append(np.mean([(g - t) ** 2 for g, t in zip(guess[index], target)]))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("normalise", [True, False])
def test_value_and_gradient_equal_the_naive_loop(normalise):
    rng = np.random.default_rng(0)
    guess, pieces = rng.normal(size=(2, 2, 3, 4, 5))
    pieces[0, 0] = 0.3  # a flat lead
    hidden = rng.uniform(size=(2, 3, 4)) < 0.6
    given = torch.tensor(guess, requires_grad=True)
    loss = hidden_mse(given, torch.tensor(pieces), torch.tensor(hidden), normalise)
    loss.backward()
    assert loss.item() == pytest.approx(naive(guess, pieces, hidden, normalise), rel=1e-9)
    for index in np.ndindex(guess.shape):
        up, down = guess.copy(), guess.copy()
        up[index] += 1e-6
        down[index] -= 1e-6
        slope = (naive(up, pieces, hidden, normalise) - naive(down, pieces, hidden, normalise)) / 2e-6
        assert given.grad[index].item() == pytest.approx(slope, abs=1e-7)


def objective(encoder="st_vit", leads=LEADS, **settings):
    config = {"patch": 10} if encoder == "st_vit" else {"dropout": 0.0}
    built = build_encoder(encoder, config, leads, 100.0, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return (
            STMEM(built, STMEM.Config.check({"width": 16, "layers": 1, "heads": 2} | settings))
            .double()
            .eval()
        )


def batch(n_leads=12, time=305):
    signal = torch.randn(3, n_leads, time, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    lead_mask = torch.ones(3, n_leads, dtype=torch.bool)
    lead_mask[1, n_leads - 1] = False
    valid = torch.arange(time) < torch.tensor([time, time, 222])[:, None]
    return Batch(
        signal=signal * lead_mask[:, :, None] * valid[:, None],
        lead_mask=lead_mask,
        valid=valid,
        row=torch.arange(3),
        start=torch.zeros(3, dtype=torch.int64),
        patient=torch.arange(3),
        fs=100.0,
    )


def seen_by(model, given):
    """What the encoder was shown, bool (B, P, L), the decoder's answer, and the loss."""
    inside, decoder, seen = model.encoder.contextualise, model.decoder.forward, []
    model.encoder.contextualise = lambda x, keep: (seen.append(keep), inside(x, keep))[1]
    model.decoder.forward = lambda *x: (seen.append(decoder(*x)), seen[-1])[1]
    loss = model(given, BatchRandom.for_batch(0, 0, given)).total
    model.encoder.contextualise, model.decoder.forward = inside, decoder
    return seen[0], seen[1], loss


def test_each_lead_shows_7_of_30_patches_its_own_ones():
    shown, _, _ = seen_by(objective(), batch())
    grid = shown.unflatten(1, (30, 12))
    assert (grid[0].sum(0) == 7).all() and (grid[1].sum(0)[:11] == 7).all() and grid[1].sum(0)[11] == 0
    assert (grid[2].sum(0) == 5).all() and not grid[2, 22:].any()  # 22 whole patches are there
    assert len({tuple(lead.tolist()) for lead in grid[0].T}) == 12


@pytest.mark.parametrize(("encoder", "patch"), [("st_vit", 10), ("transformer", 16)])
def test_the_whole_objective_equals_the_naive_loop(encoder, patch):
    model, given = objective(encoder), batch()
    shown, answer, loss = seen_by(model, given)
    n, rows = 305 // patch, model.encoder.token_rows
    present = given.lead_mask[:, :, None] & given.valid[:, None, patch - 1 :: patch]
    grid = shown.unflatten(1, (n, rows)).transpose(1, 2).expand(-1, 12, -1)
    pieces = given.signal[:, :, : n * patch].reshape(3, 12, n, patch).numpy()
    guess = np.empty((3, 12, n, patch))
    for b, lead, p in np.ndindex(3, 12, n):
        row = answer[b * rows + (lead if rows > 1 else 0), p].detach().numpy()
        guess[b, lead, p] = row if rows > 1 else row[lead * patch : (lead + 1) * patch]
    assert loss.item() == pytest.approx(naive(guess, pieces, (present & ~grid).numpy(), True), rel=1e-9)


def test_the_decoder_is_given_one_lead_at_a_time():
    model = objective(leads=("I", "II"))
    tokens = torch.randn(2, 8, model.encoder.dim, dtype=torch.float64)
    visible, present = torch.ones(2, 8, dtype=torch.bool), torch.ones(2, 8, dtype=torch.bool)
    both = model.decoder(tokens, visible, present)
    torch.testing.assert_close(model.decoder(tokens[:1], visible[:1], present[:1]), both[:1])


def test_the_decoder_has_the_published_size():
    with torch.device("meta"):
        model = STMEM(build_encoder("st_vit", {"size": "base"}, LEADS, 250.0), STMEM.Config())
    layer = 4 * 256**2 + 4 * 256 + 2 * 4 * 256**2 + 5 * 256 + 4 * 256
    assert n_parameters(model.decoder) == 768 * 256 + 256 + 256 + 4 * layer + 512 + 256 * 75 + 75 == 3_375_947
    assert n_parameters(model) == 85_126_038 + 3_375_947


def test_what_is_absent_is_neither_seen_nor_drawn():
    model, given = objective(), batch()
    other = given.with_(
        signal=torch.where(given.valid[:, None] & given.lead_mask[:, :, None], given.signal, 9.0)
    )
    losses = [model(x, BatchRandom.for_batch(0, 0, x)).total for x in (given, other)]
    assert torch.equal(*losses)
