import numpy as np
import pytest
import torch

from ecgprior.errors import CorpusError
from ecgprior.record.preprocess import Preprocessing
from ecgprior.training.windows import Windows, WindowStore

PLAN = Preprocessing(fs=100)


@pytest.fixture(scope="module")
def store(corpus):
    return WindowStore(corpus, PLAN, range(len(corpus)))


def windows(store, samples=200, **more):
    return Windows(store, np.arange(len(store)), samples, **more)


def test_a_stored_record_is_the_preprocessed_one(corpus, store):
    for row in (0, 5, 23):
        signal, mask = PLAN.apply(corpus.record(row))
        position = store.positions([row])[0]
        np.testing.assert_array_equal(store.signal(position), signal)
        np.testing.assert_array_equal(store.lead_mask[position], mask)
    assert not store.lead_mask[5, 6] and store.lead_mask.sum() == store.lead_mask.size - 1


def test_a_large_store_goes_to_a_file_that_leaves_nothing(corpus, store, tmp_path):
    onfile = WindowStore(corpus, PLAN, range(len(corpus)), memory=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    for position in range(len(store)):
        np.testing.assert_array_equal(onfile.signal(position), store.signal(position).astype(np.float16))
    signal, valid = onfile.cut(np.array([0, 1]), np.array([0, 10]), 200)
    assert signal.dtype == np.float32 and valid.all()


def test_rows_are_found_and_others_refused(corpus):
    store = WindowStore(corpus, PLAN, [7, 3, 3])
    assert store.rows.tolist() == [3, 7] and store.positions([7, 3]).tolist() == [1, 0]
    for row in (0, 5, 20):
        with pytest.raises(CorpusError, match=f"row {row} of the corpus was not stored"):
            store.positions([row])
    with pytest.raises(CorpusError, match="at least one record"):
        WindowStore(corpus, PLAN, [])


def test_patients_are_numbered(store):
    assert (store.patient[0::2] == store.patient[1::2]).all() and len(set(store.patient.tolist())) == 12


def test_what_lies_after_the_end_is_padding(store):
    n = int(store.n_samples[0])
    signal, valid = store.cut(np.array([0]), np.array([n - 50]), 200)
    np.testing.assert_array_equal(signal[0, :, :50], store.signal(0)[:, -50:])
    assert (signal[0, :, 50:] == 0).all()
    assert valid[0, :50].all() and not valid[0, 50:].any()


def test_an_epoch_sees_every_record_once_and_a_new_order_comes_after(store):
    made = windows(store)
    first = np.concatenate([made.draw(step, 8) for step in range(3)])
    second = np.concatenate([made.draw(step, 8) for step in range(3, 6)])
    assert sorted(first) == sorted(second) == list(range(24))
    assert first.tolist() != second.tolist()


def test_no_record_twice_in_a_step(store):
    made = windows(store)
    for step in range(10):
        assert len(set(made.draw(step, 10).tolist())) == 10


def test_windows_depend_on_seed_step_and_record_only(store):
    made = windows(store, 150)
    whole = made.batch(3, np.array([2, 9, 4]))
    part = made.batch(3, np.array([9]))
    assert torch.equal(whole.signal[1], part.signal[0]) and whole.start[1] == part.start[0]
    assert not torch.equal(made.batch(4, np.array([2, 9, 4])).start, whole.start)
    assert not torch.equal(windows(store, 150, seed=1).batch(3, np.array([2, 9, 4])).start, whole.start)


def test_starts_cover_the_record_and_never_leave_it(store):
    made = windows(store, 200)
    starts = np.array([made.batch(step, np.array([1])).start[0] for step in range(300)])
    room = int(store.n_samples[1]) - 200
    assert starts.min() >= 0 and starts.max() <= room
    assert starts.max() - starts.min() > 0.9 * room


def test_the_next_window_follows(store):
    long = np.flatnonzero(store.n_samples >= 400)
    made = Windows(store, long, 200, two=True)
    batch = made.batch(0, long)
    for i, position in enumerate(long):
        start = int(batch.start[i])
        np.testing.assert_array_equal(batch.next.signal[i], store.signal(position)[:, start + 200 : start + 400])
    assert batch.next.valid.all() and torch.equal(batch.next.start, batch.start + 200)


def test_whole_cuts_side_by_side(store):
    made = windows(store, 200)
    seen = [(i, int(s)) for index, batch in made.whole(5) for i, s in zip(index, batch.start)]
    expected = []
    for i, n in enumerate(store.n_samples.tolist()):
        expected += [(i, start) for start in range(0, n, 200) if start == 0 or n - start >= 100]
    assert seen == expected


def test_labels_and_columns_go_with_their_record(store):
    labels = np.arange(48, dtype=np.float32).reshape(24, 2)
    made = windows(store, labels=labels, columns={"features": labels[:, :1] * 10})
    batch = made.batch(0, np.array([5, 2]))
    assert batch.labels.tolist() == [[10, 11], [4, 5]]
    assert batch.columns["features"].tolist() == [[100], [40]]
    assert batch.fs == 100 and batch.row.tolist() == [5, 2]
