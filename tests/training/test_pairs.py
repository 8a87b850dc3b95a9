"""Two records of one patient: who is drawn, when, and what a corpus without such patients is told."""

import numpy as np
import pytest
import torch

from ecgprior.errors import CorpusError
from ecgprior.record.preprocess import Preprocessing
from ecgprior.training.fit import fit
from ecgprior.training.pairs import patient_windows, several_records
from ecgprior.training.windows import Windows, WindowStore


@pytest.fixture(scope="module")
def store(corpus):
    return WindowStore(corpus, Preprocessing(fs=100), range(len(corpus)))


def test_each_patient_once_an_epoch_with_two_different_records(store):
    made = patient_windows(store, np.arange(24), 150)
    assert len(made.positions) == 12 and made.n_records == 24
    drawn = np.concatenate([made.draw(step, 4) for step in range(3)])
    assert sorted(store.patient[drawn]) == sorted(set(store.patient.tolist()))
    batch = made.batch(0, made.draw(0, 4))
    assert torch.equal(batch.patient, batch.other.patient) and (batch.row != batch.other.row).all()
    assert batch.other.other is None and batch.other.signal.shape == batch.signal.shape


def test_all_ordered_pairs_of_a_patient_are_as_likely(store, monkeypatch):
    monkeypatch.setattr(store, "patient", np.arange(24) // 3)
    made = patient_windows(store, np.arange(6), 100)
    seen = [made.batch(step, np.array([0])) for step in range(300)]
    pairs = [(int(b.row[0]), int(b.other.row[0])) for b in seen]
    assert set(pairs) == {(a, b) for a in range(3) for b in range(3) if a != b}
    assert min(pairs.count(pair) for pair in set(pairs)) > 25


def test_pairs_depend_on_seed_step_and_patient_only(store):
    made = patient_windows(store, np.arange(24), 150)
    whole, alone = made.batch(5, made.positions), made.batch(5, made.positions[3:4])
    for a, b in ((whole, alone), (whole.other, alone.other)):
        assert torch.equal(a.signal[3], b.signal[0]) and a.row[3] == b.row[0] and a.start[3] == b.start[0]


def test_records_without_another_are_counted_out_and_nobody_left_is_said(store):
    found = several_records(store, np.array([0, 1, 2, 5, 6, 7]))
    assert found.tolist() == [True, True, False, False, True, True]
    assert patient_windows(store, np.array([0, 1, 2, 5, 6, 7]), 150).n_records == 4
    with pytest.raises(CorpusError, match="at least one patient with two usable records among 3, got none"):
        several_records(store, np.array([0, 2, 4]))


def test_other_objectives_draw_as_before(store):
    plain = Windows(store, np.arange(24), 150)
    order = np.random.default_rng([0, 0]).permutation(np.arange(24))
    assert plain.draw(1, 8).tolist() == order[8:16].tolist() and plain.n_records == 24
    assert plain.batch(0, plain.draw(0, 8)).other is None


def test_pclr_trains_on_them_or_the_run_stops(corpus, recipe, names, tmp_path):
    values = recipe({"name": "pclr"}, steps=2, batch=4)
    fit(values, corpus, tmp_path / "run")
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert '"n_records": 24' in log or '"n_records":24' in log
    with pytest.raises(CorpusError, match="at least one patient with two usable records among 12"):
        fit(values, corpus, tmp_path / "other", train=names[::2])
