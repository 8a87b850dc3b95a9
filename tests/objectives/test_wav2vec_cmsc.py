"""wav2vec 2.0 + CMSC against naive loops in NumPy float64: contrast, diversity, quantiser, spans."""

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.errors import RecipeError
from ecgprior.objectives._contrast import same_patient
from ecgprior.objectives._quantiser import Quantiser, diversity, gumbel_noise, masked_contrast
from ecgprior.objectives._token_masks import masked_spans
from ecgprior.objectives.wav2vec_cmsc import Wav2VecCMSC
from ecgprior.record.record import LEADS


def naive(context, target, code, n, draw, temperature):
    """Sum over masked tokens, one distractor at a time; those with the anchor's own codes are left out."""
    cosine = lambda a, b: a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)  # noqa: E731
    total = 0.0
    for b, length in enumerate(n):
        for i in range(length if length > 1 else 0):
            others = [j for j in range(length) if j != i]
            chosen = [others[int(u * len(others))] for u in draw[b, i]]
            used = [i, *(j for j in chosen if tuple(code[b, j]) != tuple(code[b, i]))]
            scores = [cosine(context[b, i], target[b, j]) / temperature for j in used]
            total += np.log(sum(np.exp(s) for s in scores)) - scores[0]
    return total


def test_value_and_gradient_of_the_contrast_equal_the_naive_loop():
    rng = np.random.default_rng(0)
    context, target = rng.normal(size=(2, 3, 5, 4))
    code, n, draw = rng.integers(0, 2, (3, 5, 2)), np.array([5, 3, 1]), rng.uniform(size=(3, 5, 6))
    keep = np.arange(5) < n[:, None]
    given = [torch.tensor(x, requires_grad=True) for x in (context, target)]
    found = masked_contrast(*given, *(torch.tensor(x) for x in (code, keep, draw)), 0.1)
    found.loss.backward()
    assert found.n == 8 and 0 <= found.right <= 8
    assert found.loss.item() == pytest.approx(naive(context, target, code, n, draw, 0.1), rel=1e-10)
    for which, tensor in enumerate(given):
        for index in np.ndindex(context.shape):
            moved = []
            for step in (1e-6, -1e-6):
                arrays = [context.copy(), target.copy()]
                arrays[which][index] += step
                moved.append(naive(*arrays, code, n, draw, 0.1))
            assert tensor.grad[index].item() == pytest.approx((moved[0] - moved[1]) / 2e-6, abs=1e-6)


def naive_diversity(score, keep):
    chance = np.exp(score) / np.exp(score).sum(-1, keepdims=True)
    perplexity = 0.0
    for group in range(score.shape[2]):
        mean = np.mean([chance[b, m, group] for b, m in zip(*np.nonzero(keep))], axis=0)
        perplexity += np.exp(-sum(p * np.log(p + 1e-7) for p in mean))
    return 1 - perplexity / (score.shape[2] * score.shape[3])


def test_value_and_gradient_of_diversity_equal_the_naive_loop():
    rng = np.random.default_rng(1)
    score, keep = rng.normal(size=(2, 3, 2, 4)), np.array([[True, True, False], [True, False, False]])
    given = torch.tensor(score, requires_grad=True)
    value = diversity(given.softmax(-1), torch.tensor(keep))
    value.backward()
    assert value.item() == pytest.approx(naive_diversity(score, keep), rel=1e-10)
    for index in np.ndindex(score.shape):
        up, down = score.copy(), score.copy()
        up[index] += 1e-6
        down[index] -= 1e-6
        slope = (naive_diversity(up, keep) - naive_diversity(down, keep)) / 2e-6
        assert given.grad[index].item() == pytest.approx(slope, abs=1e-8)


def test_codes_used_alike_cost_nothing_and_one_code_costs_most():
    keep = torch.ones(1, 4, dtype=torch.bool)
    alike = torch.eye(4, dtype=torch.float64)[None, :, None].expand(1, 4, 2, 4)
    assert diversity(alike, keep).item() == pytest.approx(0, abs=1e-5)
    one = torch.zeros(1, 4, 2, 4, dtype=torch.float64).index_fill(3, torch.tensor([0]), 1.0)
    assert diversity(one, keep).item() == pytest.approx(1 - 2 / 8, abs=1e-5)


def test_the_quantiser_gives_whole_codes_and_the_gradient_of_the_softmax():
    torch.manual_seed(0)
    quantiser, x = (
        Quantiser(6, 2, 5, 8).double(),
        torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True),
    )
    noise = gumbel_noise(BatchRandom(0, 0, torch.arange(2)), 3, 2, 5).double()
    found = quantiser(x, noise, 0.7)
    for b, m in np.ndindex(2, 3):
        own = torch.cat([quantiser.codes[g, found.code[b, m, g]] for g in range(2)])
        torch.testing.assert_close(found.vectors[b, m], own)
    weight = torch.randn(2, 3, 8, dtype=torch.float64)
    (grad,) = torch.autograd.grad((found.vectors * weight).sum(), x)
    soft = ((quantiser.score(x).unflatten(2, (2, 5)) + noise) / 0.7).softmax(-1)
    mixed = torch.einsum("bmgv,gvd->bmgd", soft, quantiser.codes).flatten(2)
    torch.testing.assert_close(grad, torch.autograd.grad((mixed * weight).sum(), x)[0])
    assert torch.equal(quantiser(x, None, 0.7).code, quantiser.score(x).unflatten(2, (2, 5)).argmax(-1))


def test_about_half_of_156_tokens_are_masked_in_spans_of_10():
    present = torch.ones(200, 156, dtype=torch.bool)
    hidden = masked_spans(present, 0.65, 10, BatchRandom(0, 0, torch.arange(200))).numpy()
    assert 0.45 < hidden.mean() < 0.52
    for row in hidden:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        assert (edges[1::2] - edges[::2]).min() >= 10


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 19])
def test_spans_of_short_windows(length):
    present = (torch.arange(20) < length).expand(50, -1)
    hidden = masked_spans(present, 0.65, 10, BatchRandom(0, 0, torch.arange(50)))
    assert not (hidden & ~present).any()
    assert (hidden.sum(1) >= min(length, max(1, min(10, length // 2)))).all()


def test_a_row_s_spans_do_not_depend_on_the_others():
    present = torch.ones(3, 40, dtype=torch.bool)
    whole = masked_spans(present, 0.65, 10, BatchRandom(0, 0, torch.tensor([4, 5, 6])))
    assert torch.equal(masked_spans(present[:1], 0.65, 10, BatchRandom(0, 0, torch.tensor([5])))[0], whole[1])


def test_with_the_paper_s_transformer_it_has_90_88_million_parameters():
    with torch.device("meta"):
        encoder = build_encoder("transformer", {"size": "paper"}, LEADS, 500.0)
        model = Wav2VecCMSC(encoder, Wav2VecCMSC.Config())
    assert n_parameters(model) == 90_883_072
    assert model.quantiser.score.in_features == 256  # the stem's output, before the projection to 768
    assert model.quantiser.codes.shape == (2, 320, 128)


def objective(**settings):
    encoder = build_encoder("transformer", {"size": "0.5m", "dropout": 0.0}, LEADS, 100.0, seed=0)
    small = {"span": 2, "codes": 8, "target_dim": 16, "n_distractors": 9}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Wav2VecCMSC(encoder, Wav2VecCMSC.Config.check(small | settings)).double().eval()


def batch(seed=1, following=True):
    valid = torch.arange(320) < torch.tensor([320, 320, 200])[:, None]
    signal = torch.randn(3, 12, 320, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Batch(
        signal=signal * valid[:, None],
        lead_mask=torch.ones(3, 12, dtype=torch.bool),
        valid=valid,
        row=torch.arange(3),
        start=torch.full((3,), 320 * (not following)),
        patient=torch.tensor([0, 1, 1]),
        next=batch(seed + 1, False) if following else None,
        fs=100.0,
    )


def test_the_loss_is_its_terms_with_their_weights():
    given = batch()
    loss = objective()(given, BatchRandom.for_batch(0, 0, given))
    terms = loss.terms
    expected = terms["contrast"] + 0.1 * terms["diversity"] + 10 * terms["penalty"] + terms["cmsc"]
    torch.testing.assert_close(loss.total.detach(), expected)


def test_cmsc_and_penalty_are_of_the_windows_without_masked_tokens():
    model, given = objective(augmentations=()), batch()
    terms = model(given, BatchRandom.for_batch(0, 0, given)).terms
    whole = [model.encoder(x.signal, x.lead_mask, x.valid).pooled for x in (given, given.next)]
    torch.testing.assert_close(terms["cmsc"], same_patient(*whole, given.patient, 0.1).detach())
    squares = []
    for x in (given, given.next):
        raw, keep = (
            model.encoder.local(x.signal, x.lead_mask, x.valid).raw,
            model.encoder.token_valid(x.valid),
        )
        squares += [raw[b, p].square().mean() for b, p in keep.nonzero().tolist()]
    torch.testing.assert_close(terms["penalty"], torch.stack(squares).mean().detach())


def test_the_codes_temperature_falls_from_2_to_a_half_and_is_resumed():
    model = objective(code_decay=0.5)
    found = []
    for _ in range(4):
        found.append(float(model.code_temperature))
        model.after_step(0.1)
    assert found == pytest.approx([2.0, 1.0, 0.5, 0.5])
    other = objective(code_decay=0.5)
    other.load_state_dict(model.state_dict())
    assert int(other.updates) == 4
    assert float(objective().code_temperature) == 2.0 and Wav2VecCMSC.Config().code_decay == 0.999995


def test_a_target_dim_that_groups_do_not_divide_is_refused():
    with pytest.raises(RecipeError, match="a multiple of groups = 2, got 15"):
        objective(target_dim=15)
