import pytest
import torch

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders.base import TokenEncoder
from ecgprior.record.record import LEADS


@pytest.fixture(scope="module")
def small():
    return build_encoder("cpc", {}, LEADS[:3], 100, seed=0).eval()


def test_paper_size_is_that_of_the_authors_strided_encoder():
    with torch.device("meta"):
        encoder = build_encoder("cpc", {"size": "paper"}, LEADS, 100)
    convolutions = 512 * (12 * 10 + 3 * 512 * 4) + 4 * 2 * 512
    lstm = 2 * (4 * 512 * (512 + 512) + 2 * 4 * 512)
    assert n_parameters(encoder.lstm) == lstm
    assert n_parameters(encoder) == convolutions + lstm == 7_413_760
    assert encoder.token_stride / encoder.fs == 0.16  # seconds


def test_the_small_size_is_that_of_the_small_xresnet():
    small, other = (
        n_parameters(build_encoder(name, config, LEADS, 100, seed=0))
        for name, config in (("cpc", {}), ("xresnet1d", {"size": "0.5m"}))
    )
    assert abs(small / other - 1) < 0.1


def test_its_two_halves_make_the_whole(small):
    assert isinstance(small, TokenEncoder)
    signal = torch.randn(2, 3, 205, generator=torch.Generator().manual_seed(0))
    lead_mask, valid = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 205, dtype=torch.bool)
    valid[1, 122:] = False
    tokens = small.patchify(signal, lead_mask, valid)
    halves = small.contextualise(tokens, small.token_present(lead_mask, valid))
    whole = small(signal, lead_mask, valid)
    assert torch.equal(whole.pooled, halves.pooled) and torch.equal(whole.tokens, halves.tokens)


def test_a_token_s_context_is_its_past(small):
    assert small.causal
    tokens = torch.randn(2, 9, small.dim, generator=torch.Generator().manual_seed(1))
    keep = torch.ones(2, 9, dtype=torch.bool)
    later = tokens.clone()
    later[:, 5:] += 1
    a, b = small.contextualise(tokens, keep).tokens, small.contextualise(later, keep).tokens
    assert torch.equal(a[:, :5], b[:, :5]) and not torch.allclose(a[:, 5:], b[:, 5:])
    earlier = tokens.clone()
    earlier[:, 0] += 1
    assert not torch.allclose(small.contextualise(earlier, keep).tokens[:, 3], a[:, 3])


def test_its_memory_is_an_lstm(small):
    tokens = torch.randn(2, 9, small.dim, generator=torch.Generator().manual_seed(1))
    lstm = torch.nn.LSTM(small.dim, small.dim, 2, batch_first=True)
    with torch.no_grad():
        for theirs, ours in zip(lstm.parameters(), small.lstm, strict=True):
            theirs.copy_(ours)
    found = small.contextualise(tokens, torch.ones(2, 9, dtype=torch.bool)).tokens
    torch.testing.assert_close(found, lstm(tokens)[0])
