"""Duplicates among real recordings: those that are known are found, and nothing else. Sets: see each test."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.duplicates import CORRELATION, correlation, overlap, sketch
from ecgprior.corpus.prepare import prepare
from ecgprior.record.filters import resample
from ecgprior.record.read import read
from ecgprior.record.record import LEADS

SETS = {
    "ptbxl": "ptb-xl",
    "ludb": "ludb",
    "brugada": "brugada-huca",
    "cinc2011": "cinc2011",
    "chagas2025": "chagas2025-code15",
    "cpsc2018": "cinc2020-cpsc2018-sample",
    "cinc2021": "cinc2021-sample",
    "cinc2020": "cinc2020-sample",
}


@pytest.fixture(scope="module")
def doubles(real_data: Path, tmp_path_factory) -> pl.DataFrame:
    """``duplicates.csv`` of the eight sets at 100 Hz."""
    to = tmp_path_factory.mktemp("corpus") / "c"
    prepare([open_source(name, real_data / folder) for name, folder in SETS.items()], to, fs=100, workers=1)
    return pl.read_csv(to / "duplicates.csv")


@pytest.mark.slow
def test_the_known_ones_are_found(doubles):
    pairs = {frozenset(pair) for pair in doubles.select("record", "kept").iter_rows()}
    known = {
        ("cinc2021/E07510", "cinc2021/E07509"),
        ("chagas2025/1111628", "chagas2025/1111611"),
        ("cinc2021/HR00001", "ptbxl/00001_hr"),
        ("cinc2020/HR00001", "ptbxl/00001_hr"),
        ("cinc2020/S0001", "cinc2021/S0001"),
    }
    assert {frozenset(pair) for pair in known} <= pairs
    names = lambda column: doubles[column].str.split("/")  # noqa: E731
    years = doubles.filter(
        (names("record").list.last() == names("kept").list.last())
        & pl.concat_str("record", "kept").str.contains_any(["cinc2020", "cpsc2018"])
    )
    assert years.height + 1 == 17  # and HR00001, whose first name is that of PTB-XL


@pytest.mark.slow
def test_nothing_else_is(doubles, real_data):
    """Beyond the known ones only Brugada-HUCA has any: three pairs, equal sample for sample under two names."""
    sources = doubles.group_by(source=pl.col("record").str.split("/").list.first()).len()
    assert dict(sources.sort("source").iter_rows()) == {
        "brugada": 3,
        "chagas2025": 1,
        "cinc2020": 7,
        "cinc2021": 12,
    }
    source = open_source("brugada", real_data / SETS["brugada"])
    for a, b in doubles.filter(pl.col("source") == "brugada").select("record", "kept").iter_rows():
        first, second = (source.load(f"files/{name[8:]}/{name[8:]}") for name in (a, b))
        np.testing.assert_array_equal(first.signal, second.signal)


def test_half_the_integer_scale_and_another_rate(real_data):
    """S0001 of the challenges is s0010_re of PTB at half its integers, rounded."""
    a = read(next(real_data.glob("wfdb-python-sample/**/s0010_re.hea"))).pick(LEADS)
    b = read(next(real_data.glob("cinc2021-sample/**/S0001.hea"))).pick(LEADS)
    assert correlation(a.signal, a.fs, b.signal, b.fs) > CORRELATION
    c = resample(a, 250)
    prints = [sketch(r.signal, r.fs, LEADS)[None] for r in (a, b, c)]
    assert overlap(prints[0], prints[1]).all() and overlap(prints[2], prints[1]).all()


def test_two_ecgs_of_one_patient_are_two(real_data):
    """PTB-XL: patients with several recordings, which may look very much alike."""
    table = pl.read_csv(real_data / "ptb-xl/ptbxl_database.csv", infer_schema=False)
    several = table.filter(pl.len().over("patient_id") > 1).sort("patient_id").head(40)
    records = [read(real_data / "ptb-xl" / path) for path in several["filename_hr"]]
    prints = np.array([sketch(r.signal, r.fs, r.leads) for r in records], float)
    assert len(records) >= 10
    unit = prints / np.linalg.norm(prints, axis=1, keepdims=True)
    likeness = unit @ unit.T - 2 * np.eye(len(unit))
    assert likeness.max() < 0.9


def test_both_rates_of_one_recording_are_one(real_data):
    """PTB-XL's own 100 Hz files, which lie 1.2 ms off, against its 500 Hz files."""
    high, low = (
        [read(path) for path in sorted(real_data.glob(pattern))[:20]]
        for pattern in ("ptb-xl/records500/00000/*.hea", "ptb-xl/records100/00000/*.hea")
    )
    prints = [np.array([sketch(r.signal, r.fs, r.leads) for r in records]) for records in (high, low)]
    assert overlap(*prints).all() and len(high) == 20
    assert all(
        correlation(a.signal, a.fs, b.signal, b.fs) > CORRELATION for a, b in zip(high, low, strict=True)
    )
