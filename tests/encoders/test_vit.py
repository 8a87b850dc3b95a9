import pytest
import torch

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders.base import TokenEncoder
from ecgprior.record.record import LEADS


@pytest.fixture(scope="module")
def small():
    return build_encoder("vit", {"patch": 10}, LEADS, 100, seed=0).eval()


@pytest.mark.parametrize(("size", "count"), [("xs", 3_600_000), ("s", 14_277_888), ("b", 85_185_024)])
def test_it_has_the_published_counts(size, count):
    with torch.device("meta"):
        encoder = build_encoder("vit", {"size": size}, LEADS, 500)
    assert n_parameters(encoder) == count
    assert not [name for name, _ in encoder.named_parameters() if name.endswith("bias")]


def test_ten_seconds_are_200_tokens_and_a_register_that_is_dropped():
    encoder = build_encoder("vit", {}, LEADS, 500, seed=0).eval()
    inputs = (
        torch.zeros(1, 12, 5000),
        torch.ones(1, 12, dtype=torch.bool),
        torch.ones(1, 5000, dtype=torch.bool),
    )
    assert encoder(*inputs).tokens.shape == (1, 200, encoder.dim)
    assert encoder.register.shape == (1, 1, encoder.dim)


def test_the_small_size_is_that_of_the_small_xresnet():
    small, other = (
        n_parameters(build_encoder(name, config, LEADS, 100, seed=0))
        for name, config in (("vit", {"patch": 5}), ("xresnet1d", {"size": "0.5m"}))
    )
    assert abs(small / other - 1) < 0.1


def test_its_two_halves_make_the_whole(small):
    assert isinstance(small, TokenEncoder) and small.token_rows == 1
    signal = torch.randn(2, 12, 205, generator=torch.Generator().manual_seed(0))
    lead_mask, valid = torch.ones(2, 12, dtype=torch.bool), torch.ones(2, 205, dtype=torch.bool)
    valid[1, 122:] = False
    tokens = small.patchify(signal, lead_mask, valid)
    halves = small.contextualise(tokens, small.token_present(lead_mask, valid))
    whole = small(signal, lead_mask, valid)
    assert torch.equal(whole.pooled, halves.pooled) and torch.equal(whole.tokens, halves.tokens)
    assert all(torch.equal(stage, tokens) for stage in small.local(signal, lead_mask, valid))


def test_tokens_not_kept_have_no_influence(small):
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randn(2, 30, small.dim, generator=rng)
    keep = torch.rand(2, 30, generator=rng) < 0.3
    other = torch.where(keep[:, :, None], tokens, float("nan"))
    a, b = small.contextualise(tokens, keep), small.contextualise(other, keep)
    assert torch.equal(a.pooled, b.pooled) and (b.tokens[~keep] == 0).all()
    assert not torch.allclose(small.contextualise(tokens, torch.ones_like(keep)).pooled, a.pooled)


def test_tokens_know_their_place(small):
    tokens = torch.randn(1, 8, small.dim, generator=torch.Generator().manual_seed(2))
    keep = torch.ones(1, 8, dtype=torch.bool)
    a = small.contextualise(tokens, keep).tokens
    b = small.contextualise(tokens[:, [3, 1, 2, 0, 4, 5, 6, 7]], keep).tokens
    assert not torch.allclose(a[:, 0], b[:, 3], atol=1e-3)
