"""Beats and waves of real recordings: the decoder's own limit on LUDB's marks, and the shipped network end to end.

The shipped weights were trained on these LUDB recordings: the figures of networks that never saw a recording come from
``benchmarks/delineation.py``.
"""

from pathlib import Path

import numpy as np
import pytest

from ecgprior.corpus.catalog import open_source
from ecgprior.evaluation.delineation import score_delineation
from ecgprior.evaluation.marks import Marks
from ecgprior.evaluation.matching import match
from ecgprior.physiology.decode import decode
from ecgprior.physiology.delineate import delineate, delineate_many
from ecgprior.record.beats import WAVES, Delineation
from ecgprior.record.filters import resample_array
from ecgprior.record.read import read

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")


def records(real_data, name, n=None, step=1):
    """Records of a source, or a skip that says which is not there."""
    folder = real_data / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in {real_data}")
    source = open_source({"brugada-huca": "brugada", "ptb-xl": "ptbxl"}.get(name, name), folder)
    return [source.load(row.path) for row in list(source.rows())[::step][:n]]


def truth_as_probabilities(marks, leads, n):
    """(L, 4, n): one-hot of the marked waves at 125 Hz, smoothed over three outputs."""
    at = (2 * np.arange(n) + 0.5) * (marks.fs / 250)
    hot = np.zeros((len(leads), 4, n))
    for lead, wave in np.ndindex(len(leads), 3):
        for onset, peak, offset in marks.of(leads[lead], WAVES[wave]):
            onset, offset = np.nan_to_num(onset, nan=peak), np.nan_to_num(offset, nan=peak)
            hot[lead, wave + 1] += (at >= onset) & (at <= offset)
    hot[:, 0] = 1 - hot[:, 1:].max(axis=1)
    wide = np.pad(hot, ((0, 0), (0, 0), (1, 1)), mode="edge")
    return ((wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]) / 3).astype(np.float32)


def test_the_decoder_gives_ludbs_marks_back(real_data):
    truth, found = [], []
    for record in records(real_data, "ludb", step=5):
        marks = Marks.of_annotations(record)
        signal = resample_array(record.signal, record.fs, 250)
        p = truth_as_probabilities(marks, record.leads, signal.shape[1] // 2)
        waves = Delineation(record.leads, *decode(p, signal, fs=record.fs))
        truth.append(marks)
        found.append(Marks.of_delineation(record, waves))
    score = score_delineation(truth, found)
    assert score.macro_f1() > 0.995
    table = score.table()
    assert table["sd_ms"].max() < 3.5 and table["mean_ms"].abs().max() < 1.5


def test_waves_of_ludb_are_found(real_data):
    held = records(real_data, "ludb", step=6)
    found = [Marks.of_delineation(r, d) for r, d in zip(held, delineate_many(held), strict=True)]
    score = score_delineation([Marks.of_annotations(r) for r in held], found)
    assert score.macro_f1() > 0.96 and score.pick(leads=["II"]).macro_f1() > 0.965
    assert score.detection()["f1"].min() > 0.96


def test_beats_of_half_an_hour_at_360_hz(real_data):
    path = next((real_data / "wfdb-python-sample").rglob("100.hea"), None)
    if path is None:
        pytest.skip(f"no MIT-BIH 100 in {real_data}")
    assert_beats(path, lost=3, false=3)


def test_beats_of_two_lead_holter_parts_at_200_hz(real_data):
    paths = sorted((real_data / "cpsc2021-sample").glob("*.hea"))
    if not paths:
        pytest.skip(f"no cpsc2021-sample in {real_data}")
    for path in paths[3:8]:
        assert_beats(path, lost=8, false=10)


def assert_beats(path: Path, lost: int, false: int):
    record = read(path, annotations="atr")
    marks = record.annotations
    true = np.sort([s for s, code in zip(marks.sample, marks.symbol) if code in BEATS]).astype(np.float64)
    found = delineate(record).global_[:, 1, 1]
    pairs = len(match(true, found, 0.15 * record.fs))
    assert len(true) - pairs <= lost and len(found) - pairs <= false, path.stem


@pytest.mark.parametrize("name, step", [("brugada-huca", 20), ("ptb-xl", 25), ("cinc2011", 15)])
def test_every_recording_gets_an_answer_in_order(real_data, name, step):
    held = records(real_data, name, step=step)
    found = delineate_many(held)
    for record, waves in zip(held, found, strict=True):
        assert waves.leads == record.leads
        for rows in (*waves.points, waves.global_):
            marks = rows[np.isfinite(rows)]
            assert (np.diff(marks) >= 0).all() and ((marks >= 0) & (marks < record.n_samples)).all()
    if name != "cinc2011":  # half of which are no ECG any more
        bpm = [60 * r.fs / np.median(np.diff(d.global_[:, 1, 1])) for r, d in zip(held, found)]
        assert min(bpm) > 28 and max(bpm) < 180
        qrs_ms = [
            np.nanmedian(1000 / r.fs * d.interval("QRS", "onset", "QRS", "offset"))
            for r, d in zip(held, found)
        ]
        assert min(qrs_ms) > 60 and max(qrs_ms) < 220
