"""Embedding: what goes in, what is converted, what is refused."""

import numpy as np
import pytest
import torch

from ecgprior.encoders._load import load
from ecgprior.errors import (
    BadSamplingRate,
    BadUnit,
    CheckpointError,
    LeadMissing,
    ReadError,
    RecordTooShort,
    ShapeError,
    UnknownName,
    describe,
)
from ecgprior.record.record import LEADS, Record

FS = 100


@pytest.fixture(scope="module")
def loaded(checkpoint):
    return load(checkpoint)


def ecg(n=500, seed=0, leads=LEADS, fs=FS, **fields):
    """Noise with exact limb-lead algebra."""
    x = np.random.default_rng(seed).normal(0, 0.3, (12, n))
    x[2], x[3], x[4], x[5] = x[1] - x[0], -(x[0] + x[1]) / 2, x[0] - x[1] / 2, x[1] - x[0] / 2
    return Record(signal=x[[LEADS.index(lead) for lead in leads]], fs=fs, leads=leads, **fields)


def test_says_what_it_is(loaded):
    assert (loaded.fs, loaded.leads, loaded.seconds, loaded.dim) == (100, LEADS, 5, 128)
    assert loaded.labels == ("AF", "NORM", "PVC") and loaded.config["metrics"] == {"macro_auroc": 0.5}
    assert loaded.fingerprints.dtype == np.int8 and loaded.fingerprints.shape == (2, 64)
    assert not loaded.encoder.training and not any(p.requires_grad for p in loaded.encoder.parameters())
    steps = loaded.explain()
    assert any("100 Hz" in step for step in steps) and any("5 s (500 samples)" in step for step in steps)


def test_applies_exactly_the_preprocessing(loaded):
    record = ecg()
    signal, present = loaded.preprocessing.apply(record)
    inputs = (
        torch.from_numpy(signal)[None],
        torch.from_numpy(present)[None],
        torch.ones(1, 500, dtype=torch.bool),
    )
    pooled = loaded.encoder(*inputs).pooled
    assert np.array_equal(loaded.embed(record), pooled.numpy())
    assert np.allclose(loaded.predict(record), torch.sigmoid(loaded.head(pooled)).numpy())


def test_records_paths_and_arrays_are_the_same(loaded, tmp_path):
    record = ecg()
    np.save(tmp_path / "a.npy", record.signal)
    expected = loaded.embed(record)
    for same in (
        loaded.embed([record]),
        loaded.embed(record.signal, fs=FS),
        loaded.embed(record.signal[None], fs=FS),
        loaded.embed([record.signal], fs=FS, leads=LEADS),
        loaded.embed(torch.from_numpy(record.signal.copy()), fs=FS),
        loaded.embed(record.signal.T, fs=FS),
        loaded.embed(record.signal * 1e3, fs=FS, unit="uV"),
        loaded.embed(tmp_path / "a.npy", fs=FS, leads=LEADS),
        loaded.embed(iter([str(tmp_path / "a.npy")]), fs=FS, leads=LEADS),
    ):
        assert same.shape == (1, 128) and same.dtype == np.float32
        np.testing.assert_allclose(same, expected, atol=1e-5)
    assert loaded.embed([]).shape == (0, 128) and loaded.predict([]).shape == (0, 3)


def test_leads_go_by_name(loaded):
    record = ecg()
    turned = record.pick(LEADS[::-1])
    np.testing.assert_allclose(loaded.embed(turned), loaded.embed(record), atol=1e-5)
    eight = record.pick(["I", "II", *LEADS[6:]])  # the other four follow from I and II
    np.testing.assert_allclose(loaded.embed(eight), loaded.embed(record), atol=1e-4)
    more = Record(signal=np.vstack([record.signal, record.signal[:1]]), fs=FS, leads=(*LEADS, "Vx"))
    np.testing.assert_allclose(loaded.embed(more), loaded.embed(record), atol=1e-5)


def test_absent_leads_are_masked_not_guessed(loaded):
    one = ecg().pick(["V3"])
    as_nan = ecg().with_(signal=np.where(np.arange(12)[:, None] == 8, ecg().signal, np.nan))
    assert np.array_equal(loaded.embed(one), loaded.embed(as_nan))


def test_other_rates_are_resampled(loaded):
    t = np.arange(2500) / 500
    fine = np.sin(2 * np.pi * np.arange(1, 13)[:, None] * t)
    a, b = loaded.embed(fine, fs=500), loaded.embed(fine[:, ::5], fs=100)
    cosine = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    assert cosine > 0.99


def test_long_records_are_windows_averaged_by_length(loaded):
    record = ecg(1280)  # 500, 500, and a rest of 280 that is kept
    signal, present = loaded.preprocessing.apply(record)
    parts, chances = [], []
    for start, stop in ((0, 500), (500, 1000), (1000, 1280)):
        piece = torch.from_numpy(signal[None, :, start:stop])
        valid = torch.ones(1, stop - start, dtype=torch.bool)
        pooled = loaded.encoder(piece, torch.from_numpy(present)[None], valid).pooled
        parts.append(pooled.numpy()), chances.append(torch.sigmoid(loaded.head(pooled)).numpy())
    weights = np.array([500, 500, 280]) / 1280
    expected = sum(w * part for w, part in zip(weights, parts))
    np.testing.assert_allclose(loaded.embed(record), expected, atol=1e-5)
    expected = sum(w * part for w, part in zip(weights, chances))
    np.testing.assert_allclose(loaded.predict(record), expected, atol=1e-5)


def test_a_record_is_the_same_in_any_company(loaded):
    records = [ecg(n, seed=n) for n in (500, 733, 250, 2600, 499, 61)]
    alone = np.concatenate([loaded.embed(record) for record in records])
    for size in (1, 2, 64):
        np.testing.assert_allclose(loaded.embed(records, batch_size=size), alone, atol=1e-5)


def test_streams_lazily_and_in_order(loaded):
    asked = []

    def endless():
        for number in range(10**9):
            asked.append(number)
            yield ecg(100, seed=number)

    stream = loaded.stream(endless(), batch_size=4)
    assert [next(stream).number for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    assert len(asked) == 8
    moved = []
    loaded.embed([ecg(100), ecg(100)], progress=lambda done, total, text: moved.append((done, total)))
    assert moved == [(1, 2), (2, 2)]


def test_takes_anything_with_records_by_row(loaded):
    class Rows:
        def __len__(self):
            return 2

        def record(self, row):
            return ecg(seed=row)

    expected = loaded.embed([ecg(seed=0), ecg(seed=1)])
    assert np.array_equal(loaded.embed(Rows()), expected)


def test_leaves_out_what_fails_when_asked_to(loaded, tmp_path):
    faults = {}
    items = [ecg(seed=1), "nowhere.hea", ecg().pick(["V1"]).with_(leads=("Vx",)), ecg(seed=2), 5]
    found = list(
        loaded.stream(items, on_error=lambda number, error: faults.update({number: describe(error)}))
    )
    assert [e.number for e in found] == [0, 3] and set(faults) == {1, 2, 4}
    assert np.allclose(found[1].embedding, loaded.embed(ecg(seed=2))[0], atol=1e-5)
    assert "nowhere.hea" in faults[1] and "got Vx" in faults[2] and "got int" in faults[4]


@pytest.mark.parametrize(
    ("value", "options", "error", "said"),
    [
        (np.zeros((12, 500)), {}, BadSamplingRate, "got None; pass fs="),
        (np.zeros((12, 500)), {"fs": 0}, BadSamplingRate, "got 0"),
        (np.ones((8, 500)), {"fs": 100}, LeadMissing, r"the 12 leads I, II.*\(8, 500\)"),
        (np.ones((8, 500)), {"fs": 100, "leads": LEADS}, ShapeError, "12 leads as named, got shape"),
        (np.ones((2, 3, 4, 5)), {"fs": 100}, ShapeError, "got shape"),
        (np.full((12, 5), "a"), {"fs": 100}, ShapeError, "real numbers"),
        (5, {}, ShapeError, "got int"),
        ([[1.0, 2.0]], {}, ShapeError, "got list"),
        (ecg(), {"fs": 500}, BadSamplingRate, "the record has 100 Hz, the call says 500"),
        (ecg(), {"leads": ["I"]}, LeadMissing, "the record has I, II.*the call says I;"),
        (ecg(), {"unit": "uV"}, BadUnit, "a Record is in mV, the call says uV"),
        (ecg().signal * 1e3, {"fs": 100}, BadUnit, "pass unit='uV'"),
        (ecg().signal * 1e3, {"fs": 100, "unit": "mV"}, BadUnit, "pass unit='uV'"),
        (ecg().signal, {"fs": 100, "unit": "uV"}, BadUnit, "looks like V"),
        (ecg().signal, {"fs": 100, "unit": "furlong"}, BadUnit, "furlong"),
        (ecg().with_(signal=ecg().signal * 1e3), {}, BadUnit, "looks like µV"),
        (ecg().with_(signal=np.full((12, 500), np.nan)), {}, LeadMissing, "without samples"),
        ("nowhere.hea", {}, ReadError, "nowhere"),
    ],
)
def test_refuses_what_it_would_have_to_guess(loaded, value, options, error, said):
    with pytest.raises(error, match=said):
        loaded.embed(value, **options)


def test_a_few_samples_are_too_short_as_a_record_and_as_an_array(loaded):
    few = ecg().with_(signal=1e-2 * ecg().signal[:, :4])
    for value, options in ((few, {}), (few.signal, {"fs": FS})):
        with pytest.raises(RecordTooShort, match="expected at least"):
            loaded.embed(value, **options)


def test_says_which_record_it_was(loaded):
    with pytest.raises(LeadMissing) as caught:
        loaded.embed([ecg(), ecg().pick(["V1"]).with_(leads=("Vx",), name="a7")])
    assert "record 'a7'" in describe(caught.value)


def test_a_quiet_record_is_embedded(loaded):
    """A loose electrode is not another unit: only arrays are judged for being too small."""
    quiet = ecg().with_(signal=ecg().signal * 1e-3)
    assert np.isfinite(loaded.embed(quiet)).all()
    assert np.isfinite(loaded.embed(quiet.signal, fs=FS, check_unit=False, unit="mV")).all()


def test_signals_never_break_it(loaded):
    for value in (0.0, 5.0, -32.768):
        assert np.isfinite(loaded.embed(np.full((12, 500), value), fs=FS)).all()
    holes = ecg().signal.copy()
    holes[:, 100:200], holes[3] = np.nan, np.nan
    assert np.isfinite(loaded.embed(holes, fs=FS)).all()


def test_an_unknown_device_is_said(checkpoint):
    with pytest.raises(CheckpointError, match="got 'abacus'"):
        load(checkpoint, "abacus")


def test_too_short_for_its_encoder(tmp_path):
    from ecgprior.encoders._build import build_encoder
    from ecgprior.encoders._load import save_checkpoint
    from ecgprior.record.preprocess import Preprocessing

    encoder = build_encoder("transformer", {}, LEADS, FS, seed=0)
    path = save_checkpoint(tmp_path / "c", encoder, Preprocessing(fs=FS), seconds=5)
    loaded = load(path)
    assert loaded.embed(ecg(16)).shape == (1, 128)
    with pytest.raises(RecordTooShort, match="at least 16 samples"):
        loaded.embed(ecg(15))
    with pytest.raises(CheckpointError, match="has no head"):
        loaded.predict(ecg())


def test_arguments_that_cannot_be(loaded):
    with pytest.raises(ShapeError, match="batch_size: expected at least 1, got 0"):
        loaded.embed(np.zeros((12, 500)), fs=100, batch_size=0)
    with pytest.raises(UnknownName, match="backend 'jax' is unknown: expected one of auto, onnx, torch"):
        load(loaded.path, backend="jax")
