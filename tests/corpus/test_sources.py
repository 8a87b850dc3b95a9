"""Sources on miniatures that follow what their publishers document, oddities included; the document is named in each.

Sets whose real files nobody here has are tested only so, and ``ecgprior sources`` says it.
"""

import gzip

import numpy as np
import pytest

from ecgprior.corpus.catalog import catalog, open_source
from ecgprior.corpus.sources import _challenge, _ptbxl, _tables, ludb
from ecgprior.errors import ColumnMissing, CorpusError, FormatBroken, RecordError
from ecgprior.record.formats import wfdb
from ecgprior.record.record import LEADS, Record

h5py = pytest.importorskip("h5py")


def ecg(n=500, fs=100, leads=LEADS, seed=0):
    signal = np.random.default_rng(seed).normal(0, 0.3, (len(leads), n)).round(3)
    return Record(signal=signal, fs=fs, leads=leads)


def challenge_files(folder, name, gain="1000/mV", dx="426783006", record_line=None, flat=(), age="60"):
    """A record of the challenge as its header writes it: MAT v4, ``16+24``, header of 24 bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(1).integers(-900, 900, (12, 500)).astype("<i2")
    for lead in flat:
        values[LEADS.index(lead)] = 7
    head = np.array([30, 12, 500, 0, 4], "<i4").tobytes() + b"val\0"
    (folder / f"{name}.mat").write_bytes(head + values.T.tobytes())
    sums = values.astype(np.int64).sum(axis=1).astype(np.int16)
    lines = [record_line or f"{name} 12 500 500 05-May-2020 14:50:55"]
    lines += [f"{name}.mat 16+24 {gain} 16 0 {v[0]} {s} 0 {lead}" for v, s, lead in zip(values, sums, LEADS)]
    lines += [f"#Age: {age}", "#Sex: Female", f"#Dx: {dx}", "#Rx: Unknown"]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    return values


# CODE-15 %: Zenodo 4916206: exams.csv (columns as here), exams_part<n>.hdf5 with exam_id (N,) and
# tracings (N, 4096, 12), centred and padded with zeros; the last row of each file is empty (exam_id 0).
@pytest.fixture
def code15(tmp_path):
    rng = np.random.default_rng(0)
    tracings = np.zeros((3, 4096, 12), np.float32)
    tracings[0, 581:3515] = rng.normal(0, 0.5, (2934, 12))
    tracings[1] = rng.normal(0, 0.5, (4096, 12))
    with h5py.File(tmp_path / "exams_part0.hdf5", "w") as file:
        file["tracings"], file["exam_id"] = tracings, np.array([1169160, 2873686, 0])
    (tmp_path / "exams.csv").write_text(
        "exam_id,age,is_male,nn_predicted_age,1dAVb,RBBB,LBBB,SB,ST,AF,patient_id,death,timey,normal_ecg,trace_file\n"
        "1169160,38,True,40.16,False,True,False,False,False,True,523632,False,2.09,True,exams_part0.hdf5\n"
        "2873686,73,False,67.05,False,False,False,False,False,False,1724173,,,True,exams_part0.hdf5\n"
        "168405,67,True,79.62,False,False,False,False,False,False,51421,,,False,exams_part13.hdf5\n"
    )
    return tmp_path, tracings


def test_code15_hdf5_rows(code15):
    folder, _ = code15
    table = catalog([open_source("code15", folder)])
    assert table["record"].to_list() == ["code15/1169160", "code15/2873686"]  # part 13 is not on disk
    assert table["path"].to_list() == ["exams_part0.hdf5#0", "exams_part0.hdf5#1"]
    assert table["labels.code15"].to_list() == [["RBBB", "AF"], []]
    assert table["sex"].to_list() == ["male", "female"]
    assert "labels.chagas" not in table.columns


def test_code15_padding_is_cut_and_an_empty_row_refused(code15):
    folder, tracings = code15
    source = open_source("code15", folder)
    record = source.load("exams_part0.hdf5#0")
    assert (record.n_samples, record.fs, record.leads) == (2934, 400, LEADS)
    np.testing.assert_array_equal(record.signal, tracings[0, 581:3515].T)
    assert source.load("exams_part0.hdf5#1").n_samples == 4096
    with pytest.raises(RecordError, match="zeros only"):
        source.load("exams_part0.hdf5#2")
    with pytest.raises(FormatBroken, match="below 3"):
        source.load("exams_part0.hdf5#9")


def test_code15_with_the_chagas_labels_of_2025(code15):
    folder, _ = code15
    (folder / "code15_chagas_labels.csv").write_text("exam_id,patient_id,chagas\n2873686,1724173,True\n")
    table = catalog([open_source("code15", folder)])
    assert table["labels.chagas"].to_list() == [None, ["chagas"]]


# MIMIC-IV-ECG 1.0, doi 10.13026/4nqg-sb35: record_list.csv, machine_measurements.csv, files/pNNNN/pSUBJECT/sSTUDY/;
# aVF is stored before aVL. Folds, age, gender: records_w_diag_icd10.csv of doi 10.13026/ypt5-9d58.
MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", *LEADS[6:])
PATH = "files/p1000/p10000032/s40689238/40689238"


@pytest.fixture
def mimic(tmp_path):
    (tmp_path / PATH).parent.mkdir(parents=True)
    wfdb.write(ecg(leads=MIMIC_LEADS, fs=500), tmp_path / PATH)
    (tmp_path / "record_list.csv").write_text(
        "subject_id,study_id,file_name,ecg_time,path\n"
        f"10000032,40689238,40689238,2180-07-23 08:44:00,{PATH}\n"
        "10000032,44458630,44458630,2180-07-23 09:54:00,files/p1000/p10000032/s44458630/44458630\n"
    )
    return tmp_path


def test_mimic_lists_what_is_on_disk_and_leads_go_by_name(mimic):
    source = open_source("mimic_iv_ecg", mimic)
    table = catalog([source])
    assert table["record"].to_list() == ["mimic_iv_ecg/40689238"]
    assert table["patient"].to_list() == ["mimic_iv_ecg/10000032"]
    assert table["age"].to_list() == [None]
    record = source.load(PATH)
    assert record.leads == MIMIC_LEADS
    np.testing.assert_allclose(record.lead("aVF"), ecg(leads=MIMIC_LEADS, fs=500).signal[4], atol=1e-6)


def test_mimic_statements_and_folds(mimic):
    reports = [f"report_{i}" for i in range(18)]
    said = ["Sinus rhythm with PACs", "Possible left ventricular hypertrophy", "Incomplete RBBB"] + [""] * 15
    with gzip.open(mimic / "machine_measurements.csv.gz", "wt") as file:
        file.write(f"subject_id,study_id,cart_id,ecg_time,{','.join(reports)},rr_interval\n")
        file.write(f"10000032,40689238,1,2180-07-23 08:44:00,{','.join(said)},659\n")
    (mimic / "records_w_diag_icd10.csv").write_text(
        "study_id,subject_id,gender,age,strat_fold\n40689238,10000032,F,52,18\n"
    )
    table = catalog([open_source("mimic_iv_ecg", mimic)])
    assert table["labels.mimic_machine"].to_list() == [["SINUS", "PAC", "IRBBB"]]
    assert (table["age"][0], table["sex"][0], table["fold"][0]) == (52, "female", 18)


# Challenge headers as published in 2020 and 2021, doi 10.1088/1361-6579/abc960.
@pytest.mark.parametrize(
    ("name", "gain", "set_"),
    [("E00001", "4880/mV", "georgia"), ("HR00001", "200/mV", "challenge_ptbxl"), ("S0001", "2000000/mV", "ptb"),
     ("I0003", "1041000/mV", "incart"), ("Q0001", "1000/mV", "cpsc_extra"), ("JS10647", "1000/mv", "ningbo")],
)  # fmt: skip
def test_challenge_integers_are_microvolts_whatever_the_header_of_2020_says(tmp_path, name, gain, set_):
    values = challenge_files(tmp_path / "g1", name, gain)
    source = open_source(set_, tmp_path)
    record = source.load(f"g1/{name}")
    np.testing.assert_array_equal(record.signal, (values / 1000).astype(np.float32))
    assert catalog([source])["record"].to_list() == [f"{set_}/{name}"]


def test_a_gain_that_no_form_of_2020_had_is_followed(tmp_path):
    values = challenge_files(tmp_path, "HR00001", "250/mV")
    record = open_source("challenge_ptbxl", tmp_path).load("HR00001")
    np.testing.assert_allclose(record.signal, values / 250, rtol=1e-6)


def test_challenge_constant_leads_are_absent(tmp_path):
    challenge_files(tmp_path, "JS20004", flat=("V2", "V4", "V6"))
    record = open_source("ningbo", tmp_path).load("JS20004")
    absent = [lead for lead, trace in zip(record.leads, record.signal) if np.isnan(trace).all()]
    assert absent == ["V2", "V4", "V6"]
    assert np.isfinite(record.lead("V1")).all()


def test_challenge_record_line_with_mat(tmp_path):
    values = challenge_files(
        tmp_path, "E00001", "4880/mV", dx="", age="NaN", record_line="E00001.mat 12 500 500 05-May-2020"
    )
    source = open_source("cinc2020", tmp_path)
    np.testing.assert_array_equal(source.load("E00001").signal, (values / 1000).astype(np.float32))
    table = catalog([source])
    assert table["age"].to_list() == [None]
    assert [c for c in table.columns if c.startswith("labels.")] == []  # a blank Dx is not labelled


def test_the_two_forms_are_told_apart(tmp_path):
    challenge_files(tmp_path / "old", "E00001", "4880/mV")
    challenge_files(tmp_path / "new", "E00001")
    challenge_files(tmp_path / "text", "A0001", dx="RBBB")
    assert open_source("cinc2020", tmp_path / "old").found()
    assert open_source("cinc2020", tmp_path / "text").found()
    assert open_source("cinc2021", tmp_path / "new").found()
    with pytest.raises(CorpusError, match="cinc2020"):
        open_source("cinc2021", tmp_path / "old")
    with pytest.raises(CorpusError, match="cinc2021"):
        open_source("cinc2020", tmp_path / "new")


def test_chapman_and_ningbo_share_a_prefix(tmp_path):
    for name in ("JS10646", "JS10647"):
        challenge_files(tmp_path, name)
    assert catalog([open_source("chapman", tmp_path)])["record"].to_list() == ["chapman/JS10646"]
    assert catalog([open_source("ningbo", tmp_path)])["record"].to_list() == ["ningbo/JS10647"]
    assert catalog([open_source("cinc2021", tmp_path)]).height == 2


def test_cpsc2018_text_and_snomed_say_the_same():
    for text, code in [
        ("Normal", "426783006"),
        ("AF", "164889003"),
        ("I-AVB", "270492004"),
        ("PVC", "164884008"),
    ]:
        assert _challenge.labels_of(text) == _challenge.labels_of(code, nine_classes=True)
    # ventricular ectopics are not a scored class: the challenge's own mapping of CPSC-2018's PVC
    assert _challenge.labels_of("PVC")["cinc2021"] == ()
    assert _challenge.labels_of("RBBB,AF")["cpsc2018"] == ("AF", "RBBB")
    assert _challenge.labels_of(" ") == _challenge.labels_of("Unknown", nine_classes=True) == {}


# CinC 2011, https://physionet.org/content/challenge-2011/: set-a with RECORDS-acceptable and RECORDS-unacceptable.
def test_cinc2011_by_the_publishers_lists(tmp_path):
    folder = tmp_path / "set-a"
    folder.mkdir()
    for name in ("1002603", "1005639", "1009404"):
        wfdb.write(ecg(), folder / name)
    (folder / "RECORDS-acceptable").write_text("1002603\n")
    (folder / "RECORDS-unacceptable").write_text("1005639\n")
    table = catalog([open_source("cinc2011", tmp_path)])
    assert table["labels.cinc2011_quality"].to_list() == [[], ["unacceptable"], None]


@pytest.mark.parametrize("exchanged", [True, False])
def test_cinc2011_avl_and_avf_are_told_by_the_limb_leads(tmp_path, exchanged):
    folder = tmp_path / "set-a"
    folder.mkdir()
    (folder / "RECORDS-unacceptable").write_text("1\n")
    one, two = np.random.default_rng(0).normal(size=(2, 500)).astype(np.float32)
    avl, avf = one - two / 2, two - one / 2
    rows = [one, two, avf, avl] if exchanged else [one, two, avl, avf]
    wfdb.write(Record(signal=np.stack(rows), fs=500, leads=("I", "II", "aVL", "aVF")), folder / "1")
    source = open_source("cinc2011", tmp_path)
    record = source.load(next(iter(source.rows())).path)
    assert record.leads == ("I", "II", "aVL", "aVF")
    np.testing.assert_allclose(record.lead("aVL"), avl, atol=2e-3)
    np.testing.assert_allclose(record.lead("aVF"), avf, atol=2e-3)


# SPH, doi 10.1038/s41597-022-01403-5: records/A00001.h5 with ``ecg`` (12, N) float16, metadata.csv.
def test_sph_in_the_publishers_layout(tmp_path):
    (tmp_path / "records").mkdir()
    signal = np.random.default_rng(0).normal(0, 0.3, (12, 5000)).astype(np.float16)
    for name in ("A00001", "A00002"):
        with h5py.File(tmp_path / "records" / f"{name}.h5", "w") as file:
            file["ecg"] = signal
    (tmp_path / "metadata.csv").write_text(
        "ECG_ID,AHA_Code,Patient_ID,Age,Sex,N,Date\nA00001,22;50+346,S00001,55,M,5000,2020-03-04\n"
    )
    source = open_source("sph", tmp_path)
    table = catalog([source])
    assert table["labels.sph_aha"].to_list() == [["22", "50"], None]
    np.testing.assert_array_equal(source.load("records/A00001.h5").signal, signal.astype(np.float32))


def test_ludb_cells_of_several_lines_and_an_unknown_text():
    row = dict.fromkeys(ludb._COLUMNS, "")
    row |= {"Conduction abnormalities": "Iii degree av-block\nA new kind of block\n", "Sex": "M\n"}
    row |= {"Ischemia": "Stemi:  septal\nSomething new", "Rhythms": "Atrial flutter, typical"}
    assert set(ludb.labels_of(row)) == {"AVB3", "BLOCK", "STEMI_SEP", "ISCSCAR", "AFL"}


def test_ptbxl_counts_likelihood_zero_and_leaves_out_what_is_not_stated():
    found = _ptbxl.labels_of("{'IMI': 0.0, 'NDT': 15.0, 'SR': 0.0}")
    assert found["ptbxl_superclass"] == ("MI", "STTC")
    assert found["ptbxl_form"] == ("NDT",)  # non-diagnostic T is a form and a diagnostic statement
    assert "ptbxl_form" not in _ptbxl.labels_of("{'NORM': 100.0, 'SR': 0.0}")
    with pytest.raises(CorpusError, match="scp_codes"):
        _ptbxl.labels_of("NORM")


def test_ptbxl_at_both_rates(tmp_path):
    (tmp_path / "ptbxl_database.csv").write_text(
        "ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr\n"
        "1,15709.0,300.0,1,\"{'NORM': 100.0}\",3,records100/00000/00001_lr,records500/00000/00001_hr\n"
        "2,13243.0,19.0,0,\"{'NORM': 80.0}\",10,records100/00000/00002_lr,records500/00000/00002_hr\n"
    )
    for rate, end in ((100, "lr"), (500, "hr")):
        folder = tmp_path / f"records{rate}" / "00000"
        folder.mkdir(parents=True)
        wfdb.write(ecg(n=rate, fs=rate), folder / f"00001_{end}")
    table = catalog([open_source("ptbxl", tmp_path), open_source("ptbxl100", tmp_path)])
    assert table["record"].to_list() == ["ptbxl/00001_hr", "ptbxl100/00001_lr"]  # record 2 is not on disk
    assert table["patient"].to_list() == ["ptbxl/15709"] * 2
    assert (table["age"][0], table["sex"][0], table["fold"][0]) == (None, "female", 3)


def test_brugada_undecided_is_not_labelled(tmp_path):
    rows = ["patient_id,basal_pattern,sudden_death,brugada", "1,1,0,1", "2,0,0,0", "3,0,1,2"]
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    for name in "123":
        (tmp_path / "files" / name).mkdir(parents=True)
        wfdb.write(ecg(), tmp_path / "files" / name / name)
    table = catalog([open_source("brugada", tmp_path)])
    assert table["labels.brugada"].to_list() == [["brugada"], [], None]
    assert table["labels.brugada_history"].to_list() == [["basal_pattern"], [], ["sudden_death"]]


def test_folder_reads_by_its_tables_columns(tmp_path):
    values = np.arange(40.0).reshape(2, 20)
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "mine.csv").write_text("path,record,fs,leads,unit\na.npy,first,50,I II,uV\n")
    source = open_source("folder", tmp_path)
    record = source.load("a.npy")
    assert (record.fs, record.leads) == (50, ("I", "II"))
    np.testing.assert_allclose(record.signal, values / 1000, rtol=1e-6)
    assert catalog([source])["record"].to_list() == ["folder/first"]
    (tmp_path / "second.csv").write_text("path\na.npy\n")
    with pytest.raises(CorpusError, match="mine.csv, second.csv"):
        open_source("folder", tmp_path)


def test_folder_without_a_table_lists_a_wfdb_record_once(tmp_path):
    wfdb.write(ecg(), tmp_path / "x")
    assert catalog([open_source("folder", tmp_path)])["path"].to_list() == ["x.hea"]


def test_tables_name_a_missing_column_and_refuse_bytes(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("ecg_id,sexx\n1,0\n")
    with pytest.raises(ColumnMissing, match="expected a column 'sex', got ecg_id, sexx. Did you mean 'sexx'"):
        list(_tables.read_table(table, ("ecg_id", "sex")))
    table.write_bytes(b"ecg_id,sex\n\xff\xfe\x00,1\n")
    with pytest.raises(CorpusError, match="UTF-8"):
        list(_tables.read_table(table, ("ecg_id",)))


def test_comments_of_a_header_that_is_not_utf8(tmp_path):
    header = tmp_path / "a.hea"
    header.write_bytes("a 0 500 10\r\n#<age>: 57\r\n# Sex: weiblich ü\r\n".encode("latin-1"))
    assert dict(_tables.fields(_tables.comments(header))) == {"age": "57", "sex": "weiblich ü"}
