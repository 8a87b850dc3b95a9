"""What is written comes back, at its own length, and what does not fit together is refused in words."""

import io
import json
import pickle

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus._shard_files import MISSING, ShardWriter, quantise
from ecgprior.corpus.prepare import prepare
from ecgprior.corpus.shards import Corpus, corpus_digest
from ecgprior.errors import CorpusError, ShardBroken
from ecgprior.record.record import LEADS, Record


@pytest.fixture
def corpus(mixed, tmp_path) -> Corpus:
    return prepare([mixed], tmp_path / "corpus", fs=100, workers=1)


def test_rounding_is_below_one_sixty_thousandth_of_the_largest_amplitude(ecg):
    signal = ecg(0).signal
    present, stored, scale, n_missing = quantise(signal)
    assert stored.dtype == np.int16 and n_missing == 0 and len(present) == 12
    error = np.abs(stored * scale[:, None] - signal).max(axis=1)
    assert (error <= np.abs(signal).max(axis=1) / 65_000).all()


def test_flat_leads_and_tiny_and_huge_amplitudes():
    signal = np.stack(
        [np.zeros(50), np.full(50, 2.5), np.linspace(-1e-30, 1e-30, 50), np.linspace(0, 200, 50)]
    )
    _, stored, scale, n_missing = quantise(signal.astype(np.float32))
    assert n_missing == 0
    error = np.abs(stored * scale[:, None] - signal).max(axis=1)
    assert (error <= 1e-4 * np.abs(signal).max(axis=1)).all()


def test_missing_samples_and_leads_are_kept_as_such():
    signal = np.ones((3, 10), np.float32)
    signal[0] = np.nan
    signal[1, 3], signal[1, 4], signal[1, 5] = np.nan, np.inf, -np.inf
    present, stored, scale, n_missing = quantise(signal)
    assert present.tolist() == [1, 2] and n_missing == 3
    assert (stored[0] == MISSING).nonzero()[0].tolist() == [3, 4, 5]


def test_one_wild_sample_does_not_cost_the_others_their_resolution():
    signal = np.tile(np.sin(np.arange(1000) / 9).astype(np.float32), (2, 1))
    signal[0, 500] = 1e9
    _, stored, scale, _ = quantise(signal)
    back = stored * scale[:, None]
    np.testing.assert_allclose(np.delete(back, 500, axis=1), np.delete(signal, 500, axis=1), atol=0.02)
    assert back[0, 500] > 300


def test_a_record_without_any_lead_writes_nothing():
    file = io.BytesIO()
    assert ShardWriter(file, LEADS).add(np.full((12, 9), np.nan, np.float32)) is None
    assert file.getvalue() == b""


def test_records_of_any_length_lie_side_by_side(corpus, mixed):
    lengths = dict(corpus.index.select("record", "seconds").iter_rows())
    assert lengths == {"memory/short": 7.3, "memory/long": 60, "memory/usual": 12, "memory/holes": 10}
    stored = sum((corpus.path / shard["file"]).stat().st_size for shard in corpus.manifest["shards"])
    needed = corpus.index.select(pl.col("n_samples") * pl.col("leads").list.len() * 2).to_series().sum()
    assert stored == needed


def test_signal_is_what_was_loaded(corpus, mixed):
    row = corpus.rows(["memory/usual"])[0]
    wanted = mixed.records["usual"].signal
    np.testing.assert_allclose(corpus.signal(row), wanted, atol=np.abs(wanted).max() / 60_000)
    np.testing.assert_array_equal(corpus.signal(row, 200, 300), corpus.signal(row)[:, 200:300])
    assert corpus.signal(row).dtype == np.float32
    assert corpus.signal(row, 1100, 5000).shape == (12, 100)
    assert corpus.signal(row, 5000).shape == (12, 0)


def test_absent_leads_and_holes_are_nan(corpus):
    two, holes = corpus.rows(["memory/long", "memory/holes"])
    signal = corpus.signal(two)
    assert np.isfinite(signal[:2]).all() and np.isnan(signal[2:]).all()
    signal = corpus.signal(holes)
    assert np.isnan(signal[3]).all() and corpus.index["leads"][holes].to_list() == [
        x for x in LEADS if x != "aVR"
    ]
    assert np.isnan(signal[7]).any() and np.isfinite(signal[7]).any()
    np.testing.assert_array_equal(np.isnan(corpus.signal(holes, 15, 60)), np.isnan(signal[:, 15:60]))


def test_record_has_its_patient_and_its_marks(corpus):
    record = corpus.record(corpus.rows(["memory/long"])[0])
    assert isinstance(record, Record) and record.patient.id == "memory/p1" and record.fs == 100
    assert record.annotations.sample.tolist() == [5, 200]
    assert record.annotations.lead == (None, "II") and record.annotations.note == ("", "(AFIB")
    assert corpus.record(0).annotations is None


def test_a_corpus_travels_as_its_path(corpus):
    corpus.signal(0)
    data = pickle.dumps(corpus)
    assert len(data) < 2000
    np.testing.assert_array_equal(pickle.loads(data).signal(0), corpus.signal(0))


def test_what_is_not_there_is_said(corpus):
    with pytest.raises(CorpusError, match="row 4: expected 0 to 3"):
        corpus.signal(4)
    with pytest.raises(CorpusError, match="row -1"):
        corpus.signal(-1)
    with pytest.raises(CorpusError, match="no negative"):
        corpus.signal(0, -5)
    with pytest.raises(CorpusError, match="Did you mean 'memory/short'"):
        corpus.rows(["memory/shart"])
    assert corpus.rows() == [0, 1, 2, 3] and len(corpus) == 4
    assert corpus.side("features") is None


def test_a_changed_byte_a_cut_and_a_lost_shard_are_found(corpus):
    assert corpus.broken() == []
    path = corpus.path / "shards/00000.i16"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert Corpus(corpus.path).broken() == [corpus.index["record"][3]]
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ShardBroken, match="expected at least"):
        Corpus(corpus.path).signal(3)
    path.unlink()
    with pytest.raises(ShardBroken, match="expected a file"):
        Corpus(corpus.path).signal(0)
    assert len(Corpus(corpus.path).broken()) == 4


def test_the_digest_knows_labels_and_bytes_but_not_places(corpus):
    digest = lambda frame: corpus_digest(frame, corpus.fs, corpus.leads)  # noqa: E731
    assert digest(corpus.index) == corpus.digest
    assert digest(corpus.index.with_columns(shard=pl.lit(7, pl.Int32))) == corpus.digest
    assert digest(corpus.index.with_columns(patient=pl.lit("x"))) != corpus.digest
    assert corpus_digest(corpus.index, 200.0, corpus.leads) != corpus.digest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 99}, "format_version: expected 1 .* got 99"),
        ({"kind": "ecgprior-checkpoint"}, "ecgprior-corpus"),
        (None, "expected JSON"),
    ],
)
def test_a_corpus_of_another_version_is_refused(corpus, change, words):
    path = corpus.path / "manifest.json"
    path.write_text("{" if change is None else json.dumps(corpus.manifest | change), encoding="utf-8")
    with pytest.raises(CorpusError, match=words):
        Corpus(corpus.path)


def test_a_folder_without_a_manifest_names_the_command(corpus, tmp_path):
    (corpus.path / "manifest.json").unlink()
    with pytest.raises(CorpusError, match="interrupted – run the same 'ecgprior prepare' again"):
        Corpus(corpus.path)
    with pytest.raises(CorpusError, match="ecgprior prepare SOURCE=DIR"):
        Corpus(tmp_path / "nothing")


def test_an_index_that_does_not_fit_the_manifest_is_refused(corpus):
    corpus.index.head(2).write_parquet(corpus.path / "index.parquet")
    with pytest.raises(CorpusError, match="expected 4 rows"):
        _ = Corpus(corpus.path).index
    (corpus.path / "index.parquet").write_bytes(b"no table")
    with pytest.raises(CorpusError, match="expected a Parquet file"):
        _ = Corpus(corpus.path).index
