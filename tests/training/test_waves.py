"""Maps of waves: what two marks explain is known, nothing else; cut with the windows; refused before the first step."""

import numpy as np
import polars as pl
import pytest
import torch

from ecgprior.errors import ColumnMissing, RecipeError
from ecgprior.objectives.delineate import Delineate
from ecgprior.provenance import digest_json
from ecgprior.record.preprocess import Preprocessing
from ecgprior.training.fit import fit
from ecgprior.training.needs import columns_for
from ecgprior.training.waves import WaveMaps, stretches, wave_marks
from ecgprior.training.windows import Windows, WindowStore


def marks_of(record, lead, text, samples):
    """A row a symbol of `text`."""
    n = len(text)
    return {
        "record": [record] * n,
        "lead": [lead] * n,
        "sample": [float(s) for s in samples],
        "symbol": list(text),
    }


def map_of(text, samples, n, factor=1.0):
    found = np.full(n, -1)
    for _, _, first, last, wave in stretches(
        pl.DataFrame(marks_of("r", "I", text, samples)), factor
    ).iter_rows():
        found[max(first, 0) : last + 1] = wave
    return "".join("?.PQT"[v + 1] for v in found)


@pytest.mark.parametrize(
    ("text", "samples", "expected"),
    [
        ("(p)(N)(t)", (1, 2, 4, 6, 7, 8, 11, 12, 14), "?PPPP.QQQ..TTTT?"),
        ("(N)(N)", (2, 3, 4, 9, 10, 11), "??QQQ....QQQ????"),
        ("N)(t)", (2, 4, 6, 8, 9), "??QQQ.TTTT??????"),
        ("(p)N)", (1, 2, 3, 6, 8), "?PPP??QQQ???????"),
        ("(p)()(N)", (1, 2, 3, 5, 7, 9, 10, 11), "?PPP.???.QQQ????"),
        ("(t(p)", (1, 3, 6, 8, 9), "?TTT??PPPP??????"),
        ("N", (3,), "????????????????"),
        ("(N)(N)", (2, 3, 4, 5, 6, 7), "??QQQQQQ????????"),
    ],
)
def test_what_two_neighbouring_marks_explain_is_known(text, samples, expected):
    assert map_of(text, samples, 16) == expected


def test_boundaries_stay_between_samples_at_another_rate():
    assert map_of("(N)(t)", (3, 4, 7, 9, 12, 13), 10, 0.5) == "??QQ.TT???"
    assert map_of("(N)(t)", (1, 2, 3, 4, 5, 6), 16, 2.0) == "??QQQQQ.TTTTT???"


@pytest.fixture
def marked(corpus, names, monkeypatch):
    """The corpus with marks of record 0 in I and V1, of a beat in no lead, and fiducials of records 0 and 1."""
    parts = [
        marks_of(names[0], "I", "(p)(N)", (10, 12, 14, 20, 22, 25)),
        marks_of(names[0], "V1", "(N)", (20, 22, 26)),
    ]
    frame = pl.concat([pl.DataFrame(part) for part in parts])
    beat = pl.DataFrame(
        {"record": names[:1], "lead": [None], "sample": [22.0], "symbol": ["N"]}, schema=frame.schema
    )
    annotations = pl.concat([frame, beat]).with_columns(pl.col("sample").cast(pl.Int64), note=pl.lit(""))
    window = {"record": names[0:1] * 2 + names[1:2] * 3, "start": [0] * 5, "stop": [100] * 5}
    fiducials = pl.DataFrame(
        window
        | {"lead": ["I", "II", "II", "II", None], "beat": [0] * 5, "wave": ["QRS", "QRS", "QRS", "T", "QRS"]}
        | {
            "onset": [50.0, 50, 30.5, np.nan, 30],
            "peak": [55.0, 55, 35, 60, 35],
            "offset": [60.0, 60, 40.5, 70, 41],
        }
    )
    tables = {"annotations": annotations, "fiducials": fiducials}
    monkeypatch.setattr(type(corpus), "side", lambda self, name: tables.get(name))
    return corpus


def test_published_marks_come_first_and_fiducials_stand_for_other_records(marked, names):
    store = WindowStore(marked, Preprocessing(fs=100), range(4))
    maps = WaveMaps(marked, store)
    first, second = maps.map(0), maps.map(1)
    assert first.shape == store.signal(0).shape and first.dtype == np.int8
    assert first[0, 8:28].tolist() == [-1] * 2 + [1] * 5 + [0] * 5 + [2] * 6 + [-1] * 2
    assert (np.delete(first, [0, 6], axis=0) == -1).all(), "a lead without marks is unknown, fiducials or not"
    ii = second[1]
    assert (ii[:31] == 0).all() and (ii[31:41] == 2).all(), "the whole window that was measured is known"
    assert (
        (ii[41:60] == -1).all()
        and (ii[60:71] == 3).all()
        and (ii[71:100] == 0).all()
        and (ii[100:] == -1).all()
    )
    assert (np.delete(second, 1, axis=0) == -1).all() and (maps.map(2) == -1).all()
    assert maps.known(np.array([2, 1])) and not maps.known(np.array([2, 3])) and not maps.simulated.any()


def test_maps_are_cut_where_the_signal_is(marked):
    store = WindowStore(marked, Preprocessing(fs=50), range(4))
    maps = WaveMaps(marked, store)
    made = Windows(store, np.arange(4), 120, cuts=(maps,))
    batch = made.at(np.array([1, 0]), np.array([10, 4]))
    waves = batch.columns["waves"]
    assert waves.dtype == torch.int8 and waves.shape == batch.signal.shape
    for row, (position, start) in enumerate(((1, 10), (0, 4))):
        piece = maps.map(position)[:, start : start + 120]
        assert np.array_equal(waves[row, :, : piece.shape[1]].numpy(), piece)
        assert (waves[row, :, piece.shape[1] :] == -1).all()
    assert batch.columns["simulated"].tolist() == [False, False]


DELINEATE = {
    "encoder": {"name": "lead_unet", "size": "0.04m"},
    "objective": {"name": "delineate", "augmentations": [{"name": "lead_mask", "probability": 0.5}]},
}


def test_a_run_learns_from_them_and_says_of_whom(marked, recipe, tmp_path):
    from ecgprior.encoders._load import load

    plan = recipe(**DELINEATE) | {"batch": 2}
    model = load(fit(plan, marked, tmp_path / "run", train=marked.index["record"].to_list()[:2]))
    assert model.classes == ("none", "P", "QRS", "T") and model.labels == () and model.head is not None
    said = model.config["provenance"]
    assert said["sources"][0]["name"] == "folder" and said["sources"][0]["n_records"] == 2
    assert model.config["head"]["reads"] == "lead_tokens" and model.embed(marked.record(0)).shape == (
        1,
        model.dim,
    )


def test_a_run_that_begins_from_another_takes_its_head_too(marked, recipe, tmp_path):
    from ecgprior.encoders._load import load

    names = marked.index["record"].to_list()[:2]
    first = fit(recipe(**DELINEATE) | {"batch": 2}, marked, tmp_path / "first", train=names)
    still = recipe(**DELINEATE, steps=1, optimiser={"lr": 1e-12, "weight_decay": 0.0}) | {
        "batch": 2,
        "seed": 9,
    }
    second = fit(still, marked, tmp_path / "second", train=names, init=first)
    before, after = load(first).head.state_dict(), load(second).head.state_dict()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, atol=1e-6, rtol=0)
    said = load(second).config["provenance"]
    assert said["init"] == digest_json(load(first).config["files"])
    assert said["init_recipe"] == load(first).config["provenance"]["recipe"] != said["recipe"]


def test_other_marks_are_another_run(marked, recipe, tmp_path, monkeypatch):
    plan, names = recipe(**DELINEATE) | {"batch": 2}, marked.index["record"].to_list()[:2]
    fit(plan, marked, tmp_path / "run", train=names)
    before = wave_marks(marked).height
    less = {name: marked.side(name).head(3) for name in ("annotations", "fiducials")}
    monkeypatch.setattr(type(marked), "side", lambda self, name: less[name])
    assert 0 < wave_marks(marked).height < before
    with pytest.raises(RecipeError, match="holds another run: waves was"):
        fit(plan, marked, tmp_path / "run", train=names)


def test_a_corpus_without_waves_stops_before_the_first_step(corpus, recipe, tmp_path):
    assert wave_marks(corpus) is None
    with pytest.raises(ColumnMissing, match=r"needs 'waves'.*`ecgprior prepare ludb=DIR.*`ecgprior features"):
        columns_for(Delineate, corpus, np.arange(3))
    with pytest.raises(ColumnMissing, match="neither published marks of waves nor fiducials"):
        fit(recipe(**DELINEATE), corpus, tmp_path / "run")


def test_training_records_without_any_mark_stop_too(marked, recipe, tmp_path):
    with pytest.raises(
        ColumnMissing, match="expected a mark of a wave in at least one of the 2 training records"
    ):
        fit(recipe(**DELINEATE), marked, tmp_path / "run", train=marked.index["record"].to_list()[2:4])
