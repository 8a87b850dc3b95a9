import pytest
import torch

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders.base import TokenEncoder
from ecgprior.errors import ShapeError
from ecgprior.record.record import LEADS


@pytest.fixture(scope="module")
def small():
    return build_encoder("transformer", {"size": "1m", "dropout": 0.0}, LEADS, 500, seed=0).eval()


def millions(*parts):
    return round(sum(n_parameters(part) for part in parts) / 1e6, 2)


def test_paper_size_has_the_published_counts():
    with torch.device("meta"):
        encoder = build_encoder("transformer", {"size": "paper"}, LEADS, 500)
    assert n_parameters(encoder) == 90_373_248
    assert millions(encoder) == 90.37
    assert millions(encoder.stem, encoder.stem_norm) == 0.40
    assert millions(encoder.project) == 0.20
    assert millions(encoder.position) == 4.72
    assert millions(encoder.layers) == 85.05
    assert encoder.token_valid(torch.ones(1, 2500, dtype=torch.bool)).shape == (1, 156)


@pytest.mark.parametrize(
    ("size", "count"), [("0.5m", 554_112), ("1m", 959_360), ("5m", 5_398_656), ("23m", 22_973_568)]
)
def test_other_sizes(size, count):
    assert n_parameters(build_encoder("transformer", {"size": size}, LEADS, 500, seed=0)) == count


def test_the_kernel_of_positions_keeps_its_lengths(small):
    position = small.position
    kernel = position.direction * (position.length / position.direction.norm(dim=(0, 1), keepdim=True))
    torch.testing.assert_close(kernel, position.direction)


def test_its_two_halves_make_the_whole(small):
    assert isinstance(small, TokenEncoder)
    signal = torch.randn(2, 12, 500, generator=torch.Generator().manual_seed(0))
    lead_mask, valid = torch.ones(2, 12, dtype=torch.bool), torch.ones(2, 500, dtype=torch.bool)
    valid[1, 300:] = False
    tokens = small.patchify(signal, lead_mask, valid)
    halves = small.contextualise(tokens, small.token_valid(valid))
    whole = small(signal, lead_mask, valid)
    assert torch.equal(whole.pooled, halves.pooled) and torch.equal(whole.tokens, halves.tokens)


def test_tokens_not_kept_have_no_influence(small):
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randn(2, 31, small.dim, generator=rng)
    keep = torch.rand(2, 31, generator=rng) < 0.5
    other = torch.where(keep[:, :, None], tokens, float("nan"))
    a, b = small.contextualise(tokens, keep), small.contextualise(other, keep)
    assert torch.equal(a.pooled, b.pooled) and (b.tokens[~keep] == 0).all()
    everything = small.contextualise(tokens, torch.ones_like(keep))
    assert not torch.allclose(everything.pooled, a.pooled)


def test_a_row_of_which_nothing_is_kept_has_finite_gradients(small):
    tokens = torch.randn(2, 8, small.dim, requires_grad=True)
    keep = torch.tensor([[False] * 8, [True] * 8])
    out = small.contextualise(tokens, keep)
    out.tokens.square().sum().backward()
    assert (out.pooled[0] == 0).all() and torch.isfinite(tokens.grad).all()
    small.zero_grad()


def test_tokens_know_their_place(small):
    """Without positions, exchanging two tokens would exchange the results."""
    tokens = torch.randn(1, 31, small.dim, generator=torch.Generator().manual_seed(2))
    swapped = tokens[:, [3, 1, 2, 0, *range(4, 31)]]
    keep = torch.ones(1, 31, dtype=torch.bool)
    a, b = small.contextualise(tokens, keep).tokens, small.contextualise(swapped, keep).tokens
    assert not torch.allclose(a[:, 0], b[:, 3], atol=1e-3)


def test_refuses_other_shapes(small):
    with pytest.raises(ShapeError, match="tokens: expected"):
        small.contextualise(torch.zeros(1, 4, 3), torch.ones(1, 4, dtype=torch.bool))
    with pytest.raises(ShapeError, match="keep: expected bool"):
        small.contextualise(torch.zeros(1, 4, small.dim), torch.ones(1, 3, dtype=torch.bool))


def test_the_stages_of_its_first_half(small):
    signal = torch.randn(2, 12, 500, generator=torch.Generator().manual_seed(0))
    lead_mask, valid = torch.ones(2, 12, dtype=torch.bool), torch.ones(2, 500, dtype=torch.bool)
    valid[1, 300:] = False
    raw, normed, tokens = small.local(signal, lead_mask, valid)
    assert torch.equal(tokens, small.patchify(signal, lead_mask, valid))
    assert raw.shape == normed.shape == (2, 31, small.local_dim) and small.local_dim == 64
    torch.testing.assert_close(normed[0], small.project_norm(raw[0]))
    assert (raw[1, 18:] == 0).all() and (normed[1, 18:] == 0).all()


def test_the_gradient_of_its_stem_can_be_lessened(small):
    signal = torch.randn(1, 12, 160, generator=torch.Generator().manual_seed(0))
    masks = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, 160, dtype=torch.bool)
    found = []
    for share in (1.0, 0.1):
        small.zero_grad()
        small.local(signal, *masks, gradient=share).tokens.square().sum().backward()
        found.append((small.stem[0].weight.grad.clone(), small.project.weight.grad.clone()))
    small.zero_grad()
    torch.testing.assert_close(found[1][0], 0.1 * found[0][0])
    torch.testing.assert_close(found[1][1], found[0][1])
