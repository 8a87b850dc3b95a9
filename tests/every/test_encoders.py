"""What every encoder owes: no influence of what is absent, any length and lead set, saving, exporting, compiling."""

import warnings

import numpy as np
import pytest
import torch

from ecgprior import lookup
from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._load import load, save_checkpoint
from ecgprior.encoders.base import Encoder, LeadEncoder
from ecgprior.errors import RecordTooShort, ShapeError
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS, Record

NAMES = lookup.names("encoders")
FS = 100


def make(name: str, leads=LEADS, training: bool = False) -> Encoder:
    """Its smallest size, without dropout."""
    fields = lookup.method("encoders", name, Encoder).Config.model_json_schema()["properties"]
    config = {"size": fields["size"]["enum"][0]} | ({"dropout": 0.0} if "dropout" in fields else {})
    return build_encoder(name, config, leads, FS, seed=3).train(training)


def batch(length: int, n: int = 3, n_leads: int = 12, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    signal = torch.randn(n, n_leads, length, generator=rng)
    return signal, torch.ones(n, n_leads, dtype=torch.bool), torch.ones(n, length, dtype=torch.bool)


def span(encoder: Encoder, length: int) -> int:
    """`length`, or a multiple of it for an encoder whose shortest window is long."""
    return length * -(-encoder.min_samples // 75)


def padded(signal, lead_mask, valid, by: int, value: float = float("nan")):
    tail = torch.full((*signal.shape[:2], by), value)
    more = torch.zeros(len(valid), by, dtype=torch.bool)
    return torch.cat([signal, tail], 2), lead_mask, torch.cat([valid, more], 1)


@pytest.mark.parametrize("name", NAMES)
def test_gives_tokens_in_order_and_their_mean(name):
    encoder = make(name)
    signal, lead_mask, valid = batch(span(encoder, 500))
    valid[0, span(encoder, 333) :] = False
    tokens, pooled = encoder(signal, lead_mask, valid)
    keep = encoder.token_valid(valid)
    assert tokens.shape == (3, keep.shape[1], encoder.dim) and pooled.shape == (3, encoder.dim)
    assert (tokens[~keep] == 0).all() and 0 < keep[0].sum() < keep[1].sum() == keep.shape[1]
    mean = (tokens * keep[:, :, None]).sum(1) / keep.sum(1, keepdim=True)
    torch.testing.assert_close(pooled, mean)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_an_absent_lead_has_no_influence_whatever_it_holds(name, training):
    signal, lead_mask, valid = batch(span(make(name), 300))
    lead_mask[0, 4], lead_mask[1, 6:] = False, False
    for value in (float("nan"), float("inf"), 1e6):
        other = torch.where(lead_mask[:, :, None], signal, value)
        a, b = (make(name, training=training)(x, lead_mask, valid).pooled for x in (signal, other))
        assert torch.equal(a, b)
    present = make(name)(signal, torch.ones_like(lead_mask), valid).pooled
    assert not torch.allclose(present, make(name)(signal, lead_mask, valid).pooled)


@pytest.mark.parametrize("name", NAMES)
def test_padding_of_any_length_changes_nothing(name):
    encoder = make(name)
    worst, largest = 0.0, 1.0
    with torch.no_grad():
        for length in (encoder.min_samples, 33, 64, 97, 250):
            window = batch(max(length, encoder.min_samples), n=1)
            plain = encoder(*window)
            largest = max(largest, float(plain.tokens.abs().max()))
            for by in (1, 2, 7, 16, 31, 33, 101, span(encoder, 101)):
                tokens, pooled = encoder(*padded(*window, by))
                worst = max(worst, float((pooled - plain.pooled).abs().max()))
                worst = max(worst, float((tokens[:, : plain.tokens.shape[1]] - plain.tokens).abs().max()))
                assert (tokens[:, plain.tokens.shape[1] :] == 0).all()
    assert worst < 1e-5 * largest


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_neither_statistics_nor_gradient_in_training(name):
    plain, wide = make(name, training=True).double(), make(name, training=True).double()
    n = span(plain, 233)
    window = batch(n, n=2)
    signal, lead_mask, valid = padded(*window, 51, value=1e3)
    signal = signal.double().requires_grad_()
    plain(window[0].double(), *window[1:]).pooled.square().sum().backward()
    wide(signal, lead_mask, valid).pooled.square().sum().backward()
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(wide.state_dict()[key], value, msg=key)
    for (key, a), b in zip(plain.named_parameters(), wide.parameters()):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-6, atol=1e-8, msg=key)
    assert (signal.grad[:, :, n:] == 0).all() and (signal.grad[:, :, :n] != 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_in_the_batch_have_no_influence_in_eval(name):
    encoder = make(name)
    lengths = [span(encoder, length) for length in (377, 201, 400)]
    signal, lead_mask, valid = batch(lengths[2])
    valid[0, lengths[0] :], valid[1, lengths[1] :] = False, False
    together = encoder(signal, lead_mask, valid).pooled
    for row, length in enumerate(lengths):
        alone = encoder(
            signal[row : row + 1, :, :length], lead_mask[:1], torch.ones(1, length, dtype=torch.bool)
        )
        torch.testing.assert_close(together[row], alone.pooled[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("leads", [("II",), ("I", "II", "V5"), LEADS])
@pytest.mark.parametrize("name", NAMES)
def test_takes_any_set_of_leads_and_trains_every_parameter(name, leads):
    encoder = make(name, leads, training=True)
    signal, lead_mask, valid = batch(span(encoder, 192), n_leads=len(leads))
    valid[0, span(encoder, 101) :] = False
    tokens, pooled = encoder(signal, lead_mask, valid)
    direction = torch.randn(encoder.dim, generator=torch.Generator().manual_seed(0))
    ((pooled * direction).sum() + (tokens * direction).square().sum()).backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key
        assert (parameter.grad != 0).any(), key


@pytest.mark.parametrize("name", NAMES)
def test_runs_under_bfloat16_autocast(name):
    for training in (False, True):
        encoder = make(name, training=training)
        signal, lead_mask, valid = batch(span(encoder, 160))
        exact = encoder(signal, lead_mask, valid).pooled
        valid[0, span(encoder, 99) :] = False
        with torch.autocast("cpu", torch.bfloat16):
            rough = encoder(signal, lead_mask, torch.ones_like(valid)).pooled
            masked = encoder(signal, lead_mask, valid).pooled
        assert torch.isfinite(masked).all()
        similarity = torch.nn.functional.cosine_similarity(exact, rough.float())
        assert (similarity > 0.99).all()


@pytest.mark.parametrize("name", NAMES)
def test_refuses_other_shapes_and_too_short_windows(name):
    encoder = make(name)
    signal, lead_mask, valid = batch(encoder.min_samples)
    assert encoder(signal, lead_mask, valid).tokens.shape[1] >= 1
    with pytest.raises(ShapeError, match="12 leads"):
        encoder(signal[:, :3], lead_mask, valid)
    with pytest.raises(ShapeError, match="12 leads"):
        encoder(signal[0], lead_mask, valid)
    with pytest.raises(ShapeError, match="lead_mask"):
        encoder(signal, lead_mask[:, :3], valid)
    with pytest.raises(ShapeError, match="valid: expected bool"):
        encoder(signal, lead_mask, valid.float())
    valid[1, encoder.min_samples - 1] = False
    with pytest.raises(RecordTooShort, match=f"at least {encoder.min_samples} valid samples"):
        encoder(signal, lead_mask, valid)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_makes_the_weights_and_leaves_the_generator_alone(name):
    before = torch.random.get_rng_state()
    a, b = (build_encoder(name, {}, LEADS, FS, seed=5).state_dict() for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", NAMES)
def test_saved_exported_and_loaded_gives_the_same(name, tmp_path):
    encoder = make(name, training=True)
    n = span(encoder, 500)
    encoder(*batch(n))  # batch norm has statistics of its own now
    head = torch.nn.Linear(encoder.dim, 2)
    plan = Preprocessing(fs=FS, normalise="lead")
    path = save_checkpoint(
        tmp_path / "c", encoder, plan, seconds=n / FS, head=head, labels=["a", "b"], onnx=True
    )
    assert encoder.training and head.training
    by_torch, by_onnx = load(path), load(path, backend="onnx")
    rng = np.random.default_rng(0)
    for count, length in ((1, 500), (4, 333), (3, 1299)):
        signal = rng.normal(size=(count, 12, span(encoder, length))).astype(np.float32)
        signal[0, 3:5] = np.nan
        a, b = (c.embed(signal, fs=FS) for c in (by_torch, by_onnx))
        np.testing.assert_allclose(a, b, atol=1e-4)
        np.testing.assert_allclose(by_torch.predict(signal, fs=FS), by_onnx.predict(signal, fs=FS), atol=1e-4)
    record = Record(signal=rng.normal(size=(12, n)), fs=FS)
    signal, present = plan.apply(record)
    inputs = (
        torch.from_numpy(signal)[None],
        torch.from_numpy(present)[None],
        torch.ones(1, n, dtype=torch.bool),
    )
    expected = encoder.eval()(*inputs).pooled.detach().numpy()
    assert np.array_equal(by_torch.embed(record), expected)


LEAD_ENCODERS = [name for name in NAMES if issubclass(lookup.method("encoders", name, Encoder), LeadEncoder)]


@pytest.mark.parametrize("name", LEAD_ENCODERS)
def test_lead_tokens_go_with_their_lead_whatever_its_place(name):
    encoder = make(name)
    signal, lead_mask, valid = batch(301)
    lead_mask[0, 4], valid[1, 250:] = False, False
    tokens = encoder.lead_tokens(signal, lead_mask, valid)
    assert tokens.shape == (3, 12, -(-301 // encoder.lead_stride), encoder.dim)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    other = encoder.lead_tokens(signal[:, order], lead_mask[:, order], valid)
    torch.testing.assert_close(other, tokens[:, order], rtol=1e-4, atol=1e-5)
    few = make(name, LEADS[:5])
    kept = few.lead_tokens(signal[:, :5], lead_mask[:, :5], valid)
    absent = lead_mask.clone()
    absent[:, 5:] = False
    torch.testing.assert_close(encoder.lead_tokens(signal, absent, valid)[:, :5], kept, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LEAD_ENCODERS)
def test_absent_leads_and_padding_have_no_influence_on_lead_tokens(name):
    encoder = make(name)
    signal, lead_mask, valid = batch(203)
    lead_mask[0, 4] = lead_mask[2, 1:] = False
    tokens = encoder.lead_tokens(signal, lead_mask, valid)
    filled = torch.where(lead_mask[:, :, None], signal, float("nan"))
    wide = encoder.lead_tokens(*padded(filled, lead_mask, valid, 37))[:, :, : tokens.shape[2]]
    assert float((wide - tokens)[lead_mask].detach().abs().max()) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_compiles(name):
    encoder = make(name)
    window = batch(span(encoder, 160), n=2)
    window[2][0, span(encoder, 100) :] = False
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        with torch.no_grad():
            compiled = torch.compile(encoder, fullgraph=True)(*window)
    torch.testing.assert_close(compiled.pooled, encoder(*window).pooled, rtol=1e-4, atol=1e-5)
