"""Each trap of the real recordings: what a publisher got wrong is put right by the source's ``load``."""

import numpy as np
import pytest

from ecgprior.corpus.catalog import catalog, open_source, survey
from ecgprior.corpus.labels import label_matrix
from ecgprior.record.read import read
from ecgprior.record.record import LEADS


def residual(record) -> float:
    """Largest |II − I − III| in mV."""
    return float(np.abs(record.lead("II") - record.lead("I") - record.lead("III")).max())


def absent(record) -> list[str]:
    return [lead for lead, trace in zip(record.leads, record.signal) if np.isnan(trace).all()]


SETS = [
    ("ludb", "ludb", 119),
    ("ptbxl", "ptb-xl", 344),
    ("ptbxl100", "ptb-xl", 60),
    ("brugada", "brugada-huca", 263),
    ("cinc2011", "cinc2011", 205),
    ("chagas2025", "chagas2025-code15", 208),
    ("cinc2021", "cinc2021-sample", 102),
    ("cpsc2018", "cinc2020-cpsc2018-sample", 10),
    ("sph", "sph-sample", 10),
    ("cpsc2021", "cpsc2021-sample", 18),
    ("code15", "code15-sample", 10),
]


@pytest.mark.parametrize(("name", "folder", "count"), SETS)
def test_every_recording_of_every_set_loads(real_data, name, folder, count):
    source = open_source(name, real_data / folder)
    table = catalog([source])
    assert table.height == count
    for path in table["path"]:
        record = source.load(path)
        assert set(record.leads) <= set(LEADS) and record.n_samples > 500


def test_survey_finds_one_source_a_folder(real_data):
    found = {source.root.name: source.name for source in survey(real_data)}
    assert found["cinc2020-sample"] == "cinc2020"
    expected = {folder: name for name, folder, _ in SETS if name != "ptbxl100"}
    assert {folder: found.get(folder) for folder in expected} == expected


def test_ludb_obeys_einthoven_with_one_gain(real_data):
    source = open_source("ludb", real_data / "ludb")
    paths = catalog([source])["path"].to_list()
    assert max(residual(read(source.root / path)) for path in paths) > 0.5  # as the headers have it
    assert max(residual(source.load(path)) for path in paths) < 1e-5
    record = source.load(paths[0])
    assert record.leads == LEADS  # lower case in the header


def test_ludb_cells_and_the_five_tasks(real_data):
    table = catalog([open_source("ludb", real_data / "ludb")])
    assert table["sex"].null_count() == table["age"].null_count() == 0  # cells are "M\n", "64\n"
    matrix = label_matrix(table, "ludb", ["AF", "BLOCK", "LVH", "LAH", "ISCSCAR"])
    assert matrix.sum(axis=0).tolist() == [9, 41, 54, 60, 28]
    used = set(table["labels.ludb"].explode())
    assert not used & {"RHYTHM", "AXIS", "CD", "ES", "HYP", "PACE", "ISCSCAR", "NSR", "OTHER", "BLOCK"}


def test_ludb_marks_carry_their_lead_and_lie_in_the_middle(real_data):
    record = open_source("ludb", real_data / "ludb").load("data/39")
    marks = record.annotations
    assert set(marks.lead) == set(LEADS)
    assert (np.diff(marks.sample) >= 0).all()
    assert marks.sample.min() > 250 and marks.sample.max() < record.n_samples - 250


def test_cinc2011_amplitudes_and_constant_leads(real_data):
    source = open_source("cinc2011", real_data / "cinc2011")
    table = catalog([source])
    spans = [np.ptp(source.load(path).signal, axis=1) for path in table["path"]]
    assert 0.9 < np.median(spans) < 1.3  # 5 µV a unit
    assert table["patient"].null_count() == table.height
    bad = label_matrix(table, "cinc2011_quality")[:, 0] == 1
    flat = np.array([(span == 0).any() for span in spans])
    assert bad.sum() == 65 and flat[bad].sum() > 0  # flat leads stay: they are the finding


def test_ptbxl_patients_leads_and_the_publishers_own_contradiction(real_data):
    source = open_source("ptbxl", real_data / "ptb-xl")
    table = catalog([source])
    assert table["patient"].n_unique() == 334 < table.height
    assert not set(table["fold"]) & {9, 10}
    high = source.load("records500/00000/00421_hr")
    assert high.leads == LEADS  # AVR in the header
    assert np.abs(high.signal).max() > 11
    if "ptbxl/00162_hr" in table["record"]:  # not among the recordings that are handed out
        odd = source.load("records500/00000/00162_hr")
        assert np.abs(odd.lead("aVR") + (odd.lead("I") + odd.lead("II")) / 2).max() > 2.5  # left as published


def test_ptbxl_label_counts(real_data):
    table = catalog([open_source("ptbxl", real_data / "ptb-xl")])
    matrix = label_matrix(table, "ptbxl_superclass")
    assert np.nansum(matrix, axis=0).tolist() == [221, 47, 57, 56, 24]
    assert np.isnan(matrix).any(axis=1).sum() == 1  # one record states no diagnosis
    assert label_matrix(table, "ptbxl_all").shape == (344, 71)


def test_the_same_recordings_in_the_forms_of_2020_and_2021(real_data):
    old = open_source("cinc2020", real_data / "cinc2020-sample")
    new = open_source("cinc2021", real_data / "cinc2021-sample")
    here = {path.stem for path in old.root.glob("*.mat")} & {path.stem for path in new.root.glob("*.mat")}
    assert len(here) >= 4 and {"E00001", "HR00001", "S0001"} <= here
    for name in here:
        np.testing.assert_array_equal(old.load(name).signal, new.load(name).signal)
    as_published = read(old.root / "HR00001").signal
    assert np.abs(as_published).max() / np.abs(old.load("HR00001").signal).max() == pytest.approx(5, rel=1e-5)


def test_hr00001_is_ptbxl_record_1(real_data):
    challenge = open_source("cinc2021", real_data / "cinc2021-sample").load("HR00001")
    own = open_source("ptbxl", real_data / "ptb-xl").load("records500/00000/00001_hr")
    np.testing.assert_array_equal(challenge.signal, own.signal)


def test_flat_leads_of_ningbo_are_absent(real_data):
    source = open_source("cinc2021", real_data / "cinc2021-sample")
    expected = {"JS20004": ["V2", "V4", "V6"], "JS20008": ["V2", "V4", "V6"], "JS45542": list(LEADS[6:])}
    for name, leads in expected.items():
        assert absent(source.load(name)) == leads
    assert absent(source.load("JS20000")) == []


def test_blank_dx_is_not_labelled_and_nan_age_is_none(real_data):
    table = catalog([open_source("cinc2020", real_data / "cinc2020-sample")])
    rows = {row["record"]: row for row in table.iter_rows(named=True)}
    assert rows["cinc2020/E00001"]["age"] is None
    assert rows["cinc2020/E00001"]["labels.cinc2021"] is None
    assert rows["cinc2020/Q0012"]["labels.cinc2021"] == ["426627000"]
    assert rows["cinc2020/S0001"]["sex"] == "female"


def test_cpsc2018_as_text_and_as_codes(real_data):
    text = catalog([open_source("cpsc2018", real_data / "cinc2020-cpsc2018-sample")]).sort("record")
    codes = catalog([open_source("cpsc2018", real_data / "cinc2021-sample")]).sort("record")
    both = set(text["record"]) & set(codes["record"])
    assert len(both) == 10
    # as text one of several diagnoses may be given: what it says is among the codes
    for one, other in zip(text["labels.cpsc2018"].to_list(), codes["labels.cpsc2018"].to_list()):
        assert set(one) <= set(other)


def test_code15_keeps_recordings_that_exceed_10_mv_at_single_samples(real_data):
    source = open_source("chagas2025", real_data / "chagas2025-code15")
    table = catalog([source])
    records = [source.load(path) for path in table["path"]]
    assert sum(np.abs(record.signal).max() > 10 for record in records) > 10
    assert {2934, 4096} <= {record.n_samples for record in records}
    assert table["patient"].str.starts_with("code15/").all()
    assert np.nansum(label_matrix(table, "chagas")) == 12


def test_brugada_undecided_are_left_out(real_data):
    table = catalog([open_source("brugada", real_data / "brugada-huca")])
    labels = label_matrix(table, "brugada")[:, 0]
    assert (labels == 1).sum() == 50 and (labels == 0).sum() == 208 and np.isnan(labels).sum() == 5


def test_cpsc2021_gains_marks_and_patients(real_data):
    source = open_source("cpsc2021", real_data / "cpsc2021-sample")
    table = catalog([source])
    assert table["patient"].n_unique() == 6
    record = source.load("data_92_4")
    assert record.leads == ("I", "II") and record.fs == 200
    assert 0.2 < np.median(np.abs(record.signal - np.median(record.signal, axis=1, keepdims=True))) * 20 < 20
    assert "(AFIB" in record.annotations.note
    assert label_matrix(table, "cpsc2021", ["AF"]).sum() == 12


def test_sph_row_without_a_table_entry(real_data):
    table = catalog([open_source("sph", real_data / "sph-sample")])
    row = table.filter(table["record"] == "sph/SPH00005")
    assert row["labels.sph_aha"].to_list() == [None] and row["patient"].to_list() == [None]


def test_incart_headers_without_signals_are_told_by_name(real_data):
    source = open_source("cinc2020", real_data / "cinc2020-sample")
    with pytest.raises(OSError, match="I0001.mat"):
        source.load("incart-headers-only/I0001")


def test_cinc2011_avl_and_avf_are_exchanged_back(real_data):
    source = open_source("cinc2011", real_data / "cinc2011")
    n_right = 0
    for row in source.rows():
        ecg = source.load(row.path)
        assert ecg.leads == LEADS
        n_right += bool(np.abs(ecg.lead("aVL") - (ecg.lead("I") - ecg.lead("II") / 2)).max() < 0.006)
    assert n_right >= 203  # of 205; two have flat limb leads, which say nothing
