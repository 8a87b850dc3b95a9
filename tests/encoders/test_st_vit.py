import pytest
import torch

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders.base import TokenEncoder
from ecgprior.record.record import LEADS


@pytest.fixture(scope="module")
def small():
    return build_encoder("st_vit", {"patch": 10}, LEADS[:4], 100, seed=0).eval()


def test_base_is_vit_b_with_norms_around_the_patch_separator_and_leads():
    with torch.device("meta"):
        encoder = build_encoder("st_vit", {"size": "base"}, LEADS, 250)
    vit_b = 12 * (4 * 768**2 + 4 * 768 + 2 * 4 * 768**2 + 5 * 768 + 4 * 768) + 2 * 768
    around = 2 * 75 + 75 * 768 + 768 + 2 * 768
    assert n_parameters(encoder) == vit_b + around + 768 + 12 * 768 == 85_126_038


def test_small_is_vit_s():
    with torch.device("meta"):
        assert n_parameters(build_encoder("st_vit", {"size": "small"}, LEADS, 250)) == 21_329_430


def test_the_small_size_is_that_of_the_small_xresnet():
    small, other = (
        n_parameters(build_encoder(name, config, LEADS, 100, seed=0))
        for name, config in (("st_vit", {"patch": 30}), ("xresnet1d", {"size": "0.5m"}))
    )
    assert abs(small / other - 1) < 0.1


def test_nine_seconds_are_30_patches_of_each_lead():
    encoder = build_encoder("st_vit", {}, LEADS, 250, seed=0)
    valid, lead_mask = torch.ones(1, 2250, dtype=torch.bool), torch.ones(1, 12, dtype=torch.bool)
    lead_mask[0, 3] = False
    present = encoder.token_present(lead_mask, valid)
    assert present.shape == (1, 30 * 12) and present.sum() == 30 * 11
    assert not present.reshape(30, 12)[:, 3].any()


def test_its_two_halves_make_the_whole(small):
    assert isinstance(small, TokenEncoder) and small.token_rows == 4
    signal = torch.randn(2, 4, 105, generator=torch.Generator().manual_seed(0))
    lead_mask, valid = torch.ones(2, 4, dtype=torch.bool), torch.ones(2, 105, dtype=torch.bool)
    valid[1, 72:], lead_mask[0, 2] = False, False
    tokens = small.patchify(signal, lead_mask, valid)
    halves = small.contextualise(tokens, small.token_present(lead_mask, valid))
    whole = small(signal, lead_mask, valid)
    assert torch.equal(whole.pooled, halves.pooled) and torch.equal(whole.tokens, halves.tokens)
    assert whole.tokens.shape == (2, 40, small.dim)


def test_a_local_token_is_of_one_lead_and_one_patch(small):
    signal = torch.randn(1, 4, 50, generator=torch.Generator().manual_seed(0))
    masks = torch.ones(1, 4, dtype=torch.bool), torch.ones(1, 50, dtype=torch.bool)
    changed = signal.clone()
    changed[0, 2, 30:40] += torch.arange(10.0)
    differs = (small.patchify(signal, *masks) != small.patchify(changed, *masks)).any(2)
    assert differs.nonzero().tolist() == [[0, 3 * 4 + 2]]


def test_tokens_not_kept_have_no_influence(small):
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randn(2, 40, small.dim, generator=rng)
    keep = torch.rand(2, 40, generator=rng) < 0.3
    other = torch.where(keep[:, :, None], tokens, float("nan"))
    a, b = small.contextualise(tokens, keep), small.contextualise(other, keep)
    assert torch.equal(a.pooled, b.pooled) and (b.tokens[~keep] == 0).all()


def test_leads_are_told_apart_by_their_embedding(small):
    tokens = torch.randn(1, 8, small.dim, generator=torch.Generator().manual_seed(2))
    keep = torch.ones(1, 8, dtype=torch.bool)
    swapped = tokens[:, [1, 0, 2, 3, 4, 5, 6, 7]]
    a, b = small.contextualise(tokens, keep).tokens, small.contextualise(swapped, keep).tokens
    assert not torch.allclose(a[:, 0], b[:, 1], atol=1e-4)
    with torch.no_grad():
        small.lead[:2] = small.lead[0]
    a, b = small.contextualise(tokens, keep).tokens, small.contextualise(swapped, keep).tokens
    torch.testing.assert_close(a[:, 0], b[:, 1])
