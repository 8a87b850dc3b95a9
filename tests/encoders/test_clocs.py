import pytest
import torch
from torch import nn

from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.record.record import LEADS


def windows(n_leads, length, count=4):
    signal = torch.randn(count, n_leads, length, generator=torch.Generator().manual_seed(0))
    return signal, torch.ones(count, n_leads, dtype=torch.bool), torch.ones(count, length, dtype=torch.bool)


def published(encoder):
    """The network as the paper's code lays it out for one lead and 2,500 samples, with the weights of `encoder`."""
    layers = []
    for conv, norm in zip(encoder.convolutions, encoder.norms):
        layers += [conv, norm, nn.ReLU(), nn.MaxPool1d(2)]
    return nn.Sequential(*layers, nn.Flatten(), encoder.linear)


@pytest.mark.parametrize("training", [False, True])
def test_five_seconds_of_one_lead_give_what_the_published_network_gives(training):
    encoder = build_encoder("clocs", {"dropout": 0.0}, ("II",), 500, seed=0).train(training)
    signal, lead_mask, valid = windows(1, 2500)
    expected = published(encoder)(signal)
    found = encoder(signal, lead_mask, valid)
    assert found.tokens.shape == (4, 10, 128)
    torch.testing.assert_close(found.pooled, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [32, 64, 128, 256, 320])
def test_sizes(size):
    encoder = build_encoder("clocs", {"size": str(size)}, LEADS, 500, seed=0)
    convolutions = (7 * 1 + 1) * 4 + (7 * 4 + 1) * 16 + (7 * 16 + 1) * 32 + 2 * (4 + 16 + 32)
    assert n_parameters(encoder) == convolutions + (32 * 10 + 1) * size and encoder.dim == size
    assert size != 128 or n_parameters(encoder) == 45_304


def test_several_leads_give_the_mean_of_each():
    alone = build_encoder("clocs", {}, ("II",), 500, seed=0).eval()
    both = build_encoder("clocs", {}, ("II", "V2"), 500, seed=0).eval()
    signal, lead_mask, valid = windows(2, 2500)
    each = [alone(signal[:, i : i + 1], lead_mask[:, :1], valid).pooled for i in range(2)]
    torch.testing.assert_close(both(signal, lead_mask, valid).pooled, (each[0] + each[1]) / 2)
    lead_mask[:, 0] = False
    torch.testing.assert_close(both(signal, lead_mask, valid).pooled, each[1])


def test_after_ten_tokens_the_first_map_follows_again():
    encoder = build_encoder("clocs", {}, ("II",), 500, seed=0).eval()
    signal, lead_mask, valid = windows(1, 2 * 2160 + 172)
    whole = encoder(signal, lead_mask, valid)
    later = encoder(signal[:, :, 2160:], lead_mask, valid[:, 2160:])
    assert whole.tokens.shape[1] == 20 and later.tokens.shape[1] == 10
    torch.testing.assert_close(whole.tokens[:, 10:], later.tokens)


def test_drops_out_in_training_only():
    encoder = build_encoder("clocs", {}, ("II",), 500, seed=0).eval()
    batch = windows(1, 2500)
    assert encoder.dropout.p == 0.1 and torch.equal(encoder(*batch).pooled, encoder(*batch).pooled)
    encoder.train()
    assert not torch.allclose(encoder(*batch).pooled, encoder(*batch).pooled)
