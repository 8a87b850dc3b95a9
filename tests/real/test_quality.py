"""Quality on real recordings: what is known to be wrong is found, and ordinary recordings have few findings.

Sets: CinC 2011, CinC 2021 sample, CinC 2020 samples, PTB-XL, LUDB, SPH, CPSC 2021. The score was trained on CinC 2011:
its figure here is on the training recordings (``benchmarks/quality.py`` cross-validates), so the bound is high.
"""

from pathlib import Path

import numpy as np
import pytest

from ecgprior.app.folder_quality import Place, judge_folder
from ecgprior.corpus.catalog import open_source
from ecgprior.evaluation.metrics import auroc
from ecgprior.physiology.quality._reversal import EXCHANGES
from ecgprior.physiology.quality.assess import quality
from ecgprior.record.leads import complete_leads
from ecgprior.record.read import read


def judged(real_data: Path, name: str, folder: str, most: int = 10_000):
    source = open_source(name, real_data / folder)
    rows = list(source.rows())
    return [(row, quality(source.load(row.path))) for row in rows[:: max(1, len(rows) // most)]]


def test_cinc2011_is_told_apart(real_data):
    found = judged(real_data, "cinc2011", "cinc2011")
    bad = np.array(["unacceptable" in row.labels["cinc2011_quality"] for row, _ in found], float)
    assert float(auroc(bad, np.array([-q.score for _, q in found]))[0]) > 0.96
    constant = [q for _, q in found if all(q.measurements[f"flat_share.{lead}"] == 1 for lead in q.leads)]
    assert constant and max(q.score for q in constant) < 0.01
    assert not [q for _, q in found if any(f.name == "limb leads contradict" for f in q.findings)]


@pytest.mark.parametrize(
    ("record", "leads"),
    [
        ("JS20004", {"V2", "V4", "V6"}),
        ("JS20008", {"V2", "V4", "V6"}),
        ("JS45542", {f"V{i}" for i in range(1, 7)}),
    ],
)
def test_leads_known_to_be_empty(record, leads, real_data):
    found = quality(read(next(real_data.glob(f"cinc2021-sample/**/{record}.hea"))))
    empty = {lead for lead, listed in found.leads.items() if {f.name for f in listed} & {"flat", "missing"}}
    assert empty == leads and {found.verdicts[lead] for lead in leads} == {"unusable"}
    assert not found.acceptable


def test_ordinary_recordings_have_few_findings(real_data):
    for name, folder, most in (("ptbxl", "ptb-xl", 0.12), ("ludb", "ludb", 0.12), ("sph", "sph-sample", 0.0)):
        found = [q for _, q in judged(real_data, name, folder)]
        assert np.mean([bool(q.all_findings) for q in found]) <= most
        assert np.mean([q.acceptable for q in found]) == 1


def test_the_recording_beyond_11_mv_is_noticed(real_data):
    found = quality(read(next(real_data.glob("ptb-xl/records500/**/00421_hr.hea"))))
    assert [f for f in found.all_findings if f.name in ("baseline", "electrode off")]


def test_gains_of_the_2020_forms(real_data):
    """S (2,000,000 per mV) reads as another unit; HR (200) as beats too tall. E (4880) can pass for low voltage."""
    files = {
        path.stem: path
        for path in real_data.glob("cinc2020-sample/**/*.hea")
        if path.with_suffix(".mat").exists()
    }
    named = {}
    for name, path in files.items():
        named[name] = [f.reason for f in quality(read(path)).findings if f.name == "gain or unit"]
    small = [name for name in named if name.startswith("S")]
    tall = [name for name in named if name.startswith("HR")]
    assert small and all("looks like V" in named[name][0] for name in small)
    assert np.mean([bool(named[name]) for name in tall]) >= 0.5


def test_exchanged_arms_are_found_on_normal_recordings(real_data):
    source = open_source("ptbxl", real_data / "ptb-xl")
    normal = [row for row in source.rows() if row.labels.get("ptbxl_superclass") == ("NORM",)][:60]
    hits = dict.fromkeys(("ra_la", "ra_ll"), 0)
    false = 0
    for row in normal:
        record = source.load(row.path)
        false += any(f.name == "limb-lead reversal" for f in quality(record).findings)
        for name in hits:
            signal = record.signal.copy()
            signal[:2] = EXCHANGES[name] @ signal[:2].astype(float)
            signal[2:6] = np.nan
            wrong = complete_leads(record.with_(signal=signal))
            hits[name] += any(f.name == "limb-lead reversal" for f in quality(wrong).findings)
    assert false <= 1 and min(hits.values()) >= 0.95 * len(normal)


@pytest.mark.parametrize("record", ["2167590", "1599410"])
def test_exchanged_arms_that_lay_people_made(record, real_data):
    """Looked at: P, QRS and T are upside down in I and upright in V6, aVR is upright."""
    source = open_source("cinc2011", real_data / "cinc2011")
    named = [
        f.reason for f in quality(source.load(f"set-a/{record}")).findings if f.name == "limb-lead reversal"
    ]
    assert len(named) == 1 and "RA and LA are probably exchanged" in named[0]


def test_a_whole_folder_with_a_file_that_cannot_be_read(real_data, tmp_path):
    folder = real_data / "file-formats"
    table = judge_folder(Place(folder, None), tmp_path / "out", workers=1).records
    assert table["unreadable"].count() > 0 and table["score"].count() > 0
    assert table.height == table["unreadable"].count() + table["score"].count()


def test_hours_long_holter(real_data):
    found = quality(read(next(real_data.glob("wfdb-python-sample/**/100.hea"))))
    assert found.acceptable and 0.8 < found.measurements["n_beats_per_s"] < 1.6
