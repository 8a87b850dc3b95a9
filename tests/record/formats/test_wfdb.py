"""WFDB records: what a header declares is followed, and what contradicts it is refused."""

import numpy as np
import pytest

from ecgprior.errors import (
    BadSamplingRate,
    BadUnit,
    ExtraMissing,
    FormatBroken,
    FormatUnknown,
    ReadError,
    RecordError,
    ShapeError,
)
from ecgprior.record.formats import wfdb
from ecgprior.record.formats._wfdb_samples import FORMATS
from ecgprior.record.read import read
from ecgprior.record.record import Patient, Record


def put(folder, header, name="r", **files):
    """Write a header (text or bytes) and signal files; the stem."""
    data = header.encode() if isinstance(header, str) else header
    (folder / f"{name}.hea").write_bytes(data)
    for suffix, content in files.items():
        (folder / f"{name}.{suffix}").write_bytes(content)
    return folder / name


def int16(values):
    return np.asarray(values, "<i2").tobytes()


TWO = "r 2 500 3\nr.dat 16 1000(0)/mV 16 0 1 {0} 0 I\nr.dat 16 200(-4)/mV 16 0 2 {1} 0 ii\n"
SAMPLES = [[1, 2], [3, 4], [-5, 6]]


def two(tmp_path, header=TWO, data=None):
    sums = np.sum(SAMPLES, axis=0)
    return put(tmp_path, header.format(*sums), dat=int16(SAMPLES) if data is None else data)


def test_gain_baseline_and_names(tmp_path):
    record = wfdb.read(two(tmp_path))
    assert record.leads == ("I", "II")
    assert record.fs == 500 and record.name == "r" and record.n_samples == 3
    np.testing.assert_allclose(record.lead("I"), [0.001, 0.003, -0.005], rtol=1e-6)
    np.testing.assert_allclose(record.lead("II"), [6 / 200, 8 / 200, 10 / 200], rtol=1e-6)


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_any_name_of_a_record_reads_it(tmp_path, suffix):
    assert read(f"{two(tmp_path)}{suffix}").n_samples == 3


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212", "8", "61", "160", "310", "311"])
@pytest.mark.parametrize(("columns", "frames"), [(1, 7), (2, 5), (3, 4), (3, 5), (1, 8)])
def test_every_format_equals_wfdb(tmp_path, fmt, columns, frames, reference):
    from ecgprior.record.formats._wfdb_samples import bytes_needed

    rng = np.random.default_rng(int(fmt))
    data = rng.integers(0, 256, bytes_needed(int(fmt), columns * frames), np.uint8)
    if fmt == "311":
        data[3::4] &= 0x3F  # the two highest bits of a word are unused; wfdb-python takes one of them
    lines = [f"r.dat {fmt} {100 + 50 * i}(3)/mV 12 0 7 0 0 L{i}" for i in range(columns)]
    stem = put(tmp_path, "\n".join([f"r {columns} 250 {frames}", *lines]), dat=data.tobytes())
    expected = reference.rdrecord(str(stem)).p_signal.T
    got = wfdb.read(stem, checksum=False).signal
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_every_pair_of_format_212(tmp_path):
    edges = [-2048, -2047, -256, -255, -16, -1, 0, 1, 15, 16, 255, 256, 2047]
    values = np.array(np.meshgrid(np.arange(-2048, 2048, 7), edges)).reshape(2, -1)
    samples = np.concatenate([values, values[::-1]], axis=1)  # each in either place
    first, second = samples & 0xFFF
    data = np.stack([first & 0xFF, first >> 8 | second >> 8 << 4, second & 0xFF], axis=1).astype(np.uint8)
    sums = samples.sum(axis=1)
    lines = [f"r.dat 212 1(0)/mV 12 0 0 {total} 0 L{row}" for row, total in enumerate(sums)]
    got = wfdb.read(put(tmp_path, "\n".join([f"r 2 360 {len(data)}", *lines]), dat=data.tobytes())).signal
    np.testing.assert_array_equal(got, np.where(samples == -2048, np.nan, samples))


@pytest.mark.parametrize("baselines", [(0, 0, 0), (5, 5, 5), (1024, -7, 0), (20000, 1, 0), (1 << 24, 0, 1)])
@pytest.mark.parametrize(("fmt", "columns"), [(16, 3), (24, 2), (212, 2), (212, 3), (310, 2), (80, 1)])
def test_records_of_many_pieces_equal_wfdb(tmp_path, monkeypatch, fmt, columns, baselines, reference):
    """Checksums, missing samples and each signal's baseline and gain hold across the pieces a file is read in."""
    from ecgprior.record.formats import _wfdb_signals
    from ecgprior.record.formats._wfdb_samples import bytes_needed

    frames = 151
    data = np.random.default_rng(columns).integers(0, 256, bytes_needed(fmt, columns * frames), np.uint8)
    missing = {16: [0, 128] * 3, 24: [0, 0, 128] * 2, 80: [0] * 6, 212: [0, 136, 0] * 2}
    if fmt in missing:
        data[120:126] = missing[fmt]

    def header(sums):
        gains = [f"{100 + 50 * row}({baseline})/mV" for row, baseline in enumerate(baselines)]
        lines = [f"r.dat {fmt} {gains[row]} 12 0 7 {total} 0 L{row}" for row, total in enumerate(sums)]
        return "\n".join([f"r {columns} 250 {frames}", *lines])

    stem = put(tmp_path, header([0] * columns), dat=data.tobytes())
    raw = reference.rdrecord(str(stem), physical=False).d_signal.sum(axis=0)
    expected = reference.rdrecord(str(stem)).p_signal.T
    assert np.isnan(expected).any() or fmt not in missing
    put(tmp_path, header(raw % 65536))
    for piece in (1, 40, 1 << 17):
        monkeypatch.setattr(_wfdb_signals, "_PIECE", piece)
        np.testing.assert_allclose(wfdb.read(stem).signal, expected, rtol=1e-6, atol=1e-6)
    put(tmp_path, header((raw + 1) % 65536))
    with pytest.raises(FormatBroken, match="checksum of lead 'L0'"):
        wfdb.read(stem)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # inside wfdb 4.3
@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212"])
def test_what_wfdb_writes_reads_back(tmp_path, fmt, reference):
    rng = np.random.default_rng(1)
    top = {"80": 120, "212": 2000}.get(fmt, 30000)
    digital = rng.integers(-top, top, (101, 3)).astype(np.int64)
    reference.wrsamp(
        "w", fs=360, units=["mV", "uV", "V"], sig_name=["I", "II", "V1"], d_signal=digital, fmt=[fmt] * 3,
        adc_gain=[200.0, 1.5, 1e6], baseline=[3, -7, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    expected = reference.rdrecord(str(tmp_path / "w")).p_signal * [1, 1e-3, 1e3]
    np.testing.assert_allclose(wfdb.read(tmp_path / "w").signal.T, expected, rtol=1e-6, atol=1e-6)


def test_lowest_integer_is_nan_as_in_wfdb(tmp_path, reference):
    stem = put(tmp_path, "r 1 500 3\nr.dat 16 200/mV 16 0 1 0 0 I", dat=int16([1, -32768, 5]))
    got = wfdb.read(stem, checksum=False).signal[0]
    np.testing.assert_array_equal(np.isnan(got), np.isnan(reference.rdrecord(str(stem)).p_signal[:, 0]))
    assert np.isnan(got).tolist() == [False, True, False]


@pytest.mark.parametrize("gain", ["0", "", "0(0)/mV"])
def test_zero_or_missing_gain_is_200_as_in_wfdb(tmp_path, gain, reference):
    stem = put(tmp_path, f"r 1 500 2\nr.dat 16 {gain}", dat=int16([100, 400]))
    np.testing.assert_allclose(wfdb.read(stem).signal[0], [0.5, 2.0])
    np.testing.assert_allclose(reference.rdrecord(str(stem)).p_signal[:, 0], [0.5, 2.0])


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1), ("mv", 1), ("uV", 1e-3), ("V", 1e3), ("µV", 1e-3)])
def test_units(tmp_path, unit, factor):
    stem = put(tmp_path, f"r 1 500 2\nr.dat 16 10(0)/{unit} 16 0 0 0 0 I", dat=int16([10, 20]))
    np.testing.assert_allclose(wfdb.read(stem).signal[0], [factor, 2 * factor], rtol=1e-6)


def test_signals_that_are_no_voltage_are_left_out_and_named(tmp_path):
    header = "r 2 500 2\nr.dat 16 100/mmHg 16 0 0 0 0 ABP\nr.dat 16 100/mV 16 0 0 0 0 II\n"
    record = wfdb.read(put(tmp_path, header, dat=int16([1, 2, 3, 4])))
    assert record.leads == ("II",) and record.header["left out"] == "ABP [mmHg]"
    np.testing.assert_allclose(record.signal, [[0.02, 0.04]])
    header = "r 1 500 2\nr.dat 16 100/mmHg 16 0 0 0 0 ABP\n"
    with pytest.raises(BadUnit, match="ABP .mmHg."):
        wfdb.read(put(tmp_path, header, dat=int16([1, 2])))


def test_mat_with_offset_and_2020_header(tmp_path):
    header = "r.mat 1 500 2 05-May-2020 14:50:55\nr.mat 16x1+24 1000/mV 16 0 1 3 0 I\n#Age: 49\n#Sex: Female\n"
    record = read(put(tmp_path, header, mat=bytes(24) + int16([1, 2])))
    assert record.name == "r" and record.patient == Patient(None, 49.0, "female")
    assert record.header["recorded"] == "05-May-2020 14:50:55"
    np.testing.assert_allclose(record.signal, [[0.001, 0.002]])


def test_several_files_in_any_order(tmp_path):
    header = "r 3 500 2\nr.a 16 1/mV 16 0 0 0 0 I\nr.b 80 1/mV 8 0 0 0 0 II\nr.a 16 1/mV 16 0 0 0 0 III\n"
    stem = put(tmp_path, header, a=int16([1, 2, 3, 4]), b=bytes([129, 128]))
    assert wfdb.read(stem).signal.tolist() == [[1, 3], [1, 0], [2, 4]]


def test_samples_a_frame_and_skew_equal_wfdb(tmp_path, reference):
    rng = np.random.default_rng(3)
    header = "r 2 500 6\nr.dat 16x3:2 10/mV 16 0 0 0 0 I\nr.dat 16 10/mV 16 0 0 0 0 II\n"
    stem = put(tmp_path, header, dat=int16(rng.integers(-99, 99, 24)))
    expected = reference.rdrecord(str(stem)).p_signal.T
    got = wfdb.read(stem).signal
    # wfdb averages zeros and its own end mark into the last frames of the skewed signal: there, ours is NaN
    np.testing.assert_array_equal(np.isnan(got), [[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]])
    np.testing.assert_allclose(got[:, :4], expected[:, :4], rtol=1e-6, atol=1e-6)


def test_skew_moves_each_signal_to_the_left(tmp_path):
    header = "r 3 500 4\nr.dat 16:1 1/mV\nr.dat 16:0 1/mV\nr.dat 16:9 1/mV\n"
    signal = wfdb.read(put(tmp_path, header, dat=int16([[1, 5, 9], [2, 6, 9], [3, 7, 9], [4, 8, 9]]))).signal
    np.testing.assert_array_equal(signal, [[2, 3, 4, np.nan], [5, 6, 7, 8], [np.nan] * 4])


def test_length_from_the_file_when_the_header_has_none(tmp_path):
    assert wfdb.read(put(tmp_path, "r 1 500\nr.dat 16", dat=int16([1, 2, 3]))).n_samples == 3
    assert wfdb.read(put(tmp_path, "r 1\nr.dat 212", dat=bytes(6))).fs == 250


def segment(tmp_path, name, leads, values, fs=500):
    lines = [f"{name}.dat 16 10/mV 16 0 0 0 0 {lead}" for lead in leads]
    text = "\n".join([f"{name} {len(leads)} {fs} {len(values)}", *lines])
    put(tmp_path, text, name, dat=int16(values))


def test_fixed_segments_equal_wfdb(tmp_path, reference):
    segment(tmp_path, "a", ["I", "II"], [[1, 2], [3, 4]])
    segment(tmp_path, "b", ["I", "II"], [[5, 6]])
    stem = put(tmp_path, "r/2 2 500 3\na 2\nb 1\n")
    expected = reference.rdrecord(str(stem)).p_signal.T
    np.testing.assert_allclose(wfdb.read(stem).signal, expected, rtol=1e-6)


def test_variable_segments_equal_wfdb(tmp_path, reference):
    layout = "lay 3 500 0\n~ 0 10/mV 16 0 0 0 0 I\n~ 0 10/mV 16 0 0 0 0 II\n~ 0 10/mV 16 0 0 0 0 V\n"
    put(tmp_path, layout, "lay")
    segment(tmp_path, "a", ["II"], [[1], [3]])
    segment(tmp_path, "b", ["V", "I"], [[5, 6]])
    stem = put(tmp_path, "r/4 3 500 5\nlay 0\na 2\n~ 2\nb 1\n")
    expected = reference.rdrecord(str(stem)).p_signal.T
    record = wfdb.read(stem)
    assert record.leads == ("I", "II", "V")
    np.testing.assert_allclose(record.signal, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("r/2 2 500 4\na 2\nb 1\n", "together"),
        ("r/2 2 500 4\na 3\nb 1\n", "expected 3 samples"),
        ("r/2 2 250 3\na 2\nb 1\n", "expected 250 Hz"),
        ("r/2 2 500 4\na 2\na 2\n", "once"),
        ("r/2 2 500 3\na 2\nr 1\n", "segments again"),
        ("r/1 2 500 3\n~ 3\n", "gap"),
        ("r/1 2 500\n../a 2\n", "own folder"),
        ("r/2 2 500\na 2\n~ 1000000000000\n", "too many"),
    ],
)
def test_segments_that_contradict_the_record(tmp_path, text, match):
    segment(tmp_path, "a", ["I", "II"], [[1, 2], [3, 4]])
    segment(tmp_path, "b", ["I", "II"], [[5, 6]])
    with pytest.raises((FormatBroken, RecordError), match=match):
        wfdb.read(put(tmp_path, text))


def test_crlf_comments_and_foreign_letters(tmp_path):
    text = TWO.format(-1, 12).replace("\n", "\r\n") + "\r\n#Age: NaN\r\n# Sex: M\r\n#Ward: Zürich\r\n# free words\r\n"
    record = wfdb.read(two(tmp_path, text))
    assert record.patient == Patient(None, None, "male")
    assert record.header["Ward"] == "Zürich" and record.header["comments"] == "free words"
    latin = wfdb.read(put(tmp_path, text.encode("latin-1"), dat=int16(SAMPLES)))
    assert latin.header["Ward"] == "Zürich"


def test_mit_bih_patient_line(tmp_path):
    record = wfdb.read(two(tmp_path, TWO + "# 69 M 1085 1629 x1\n"))
    assert record.patient == Patient(None, 69.0, "male")


def test_truncated_file_is_refused(tmp_path):
    with pytest.raises(FormatBroken, match="expected 3 samples a signal, got 2"):
        wfdb.read(two(tmp_path, data=int16(SAMPLES)[:-1]))


def test_longer_file_needs_a_checksum_to_vouch_for_the_header(tmp_path):
    longer = int16(SAMPLES + [[7, 8]])
    assert wfdb.read(two(tmp_path, data=longer)).n_samples == 3
    with pytest.raises(FormatBroken, match="expected 3 samples a signal, got 4"):
        wfdb.read(put(tmp_path, "r 2 500 3\nr.dat 16\nr.dat 16\n", dat=longer))


def test_wrong_checksum(tmp_path):
    stem = two(tmp_path, data=int16([[9, 2], [3, 4], [-5, 6]]))
    with pytest.raises(FormatBroken, match="lead 'I' in 'r.dat': expected 65535, got 7"):
        wfdb.read(stem)
    assert wfdb.read(stem, checksum=False).n_samples == 3


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ReadError, match="r.dat"):
        wfdb.read(put(tmp_path, TWO.format(0, 0)))
    with pytest.raises(ReadError, match="nothing.hea"):
        wfdb.read(tmp_path / "nothing")
    (tmp_path / "d.hea").mkdir()
    with pytest.raises(ReadError, match="not a file"):
        wfdb.read(tmp_path / "d")


@pytest.mark.parametrize("name", ["/etc/passwd", "../r.dat", "a/../../r.dat", "..", "c:\\r.dat", "..\\r.dat"])
def test_paths_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(FormatBroken, match="own folder"):
        wfdb.read(put(tmp_path, f"r 1 500 1\n{name} 16\n", dat=b"\0\0"))


@pytest.mark.parametrize("fmt", [0, 1, 17, 999])
def test_unknown_format(tmp_path, fmt):
    with pytest.raises(FormatUnknown, match=f"format {fmt} is unknown"):
        wfdb.read(put(tmp_path, f"r 1 500 1\nr.dat {fmt}\n", dat=b"\0\0"))
    assert fmt not in FORMATS


@pytest.mark.parametrize("fs", ["0", "-500", "nan", "inf", "0.0"])
def test_impossible_rates(tmp_path, fs):
    with pytest.raises(BadSamplingRate):
        wfdb.read(put(tmp_path, f"r 1 {fs} 1\nr.dat 16\n", dat=b"\0\0"))


@pytest.mark.parametrize(
    "text",
    [
        "", "#only\n", "r\n", "r x 500 1\n", "r 2 500 1\nr.dat 16\n", "r 1 500 1\nr.dat\n", "r 1 fast 1\nr.dat 16\n",
        "r 1 500 many\nr.dat 16\n", "r 1 500 1\nr.dat 16y\n", "r 1 500 1\nr.dat 16x0\n", "r 1 500 1\nr.dat 16 a/mV\n",
        "r 1 500 1\nr.dat 16 nan/mV\n", "r 1 500 1\nr.dat 16 1e-300/mV\n", "r 1 500 1\nr.dat 16 1(2.5)/mV\n",
        "r 1 500 1\nr.dat 16 1 16 0 0 x\n", "r 2 500 1\nr.dat 16\nr.dat 80\n", "r/2 1 500 2\na 1\n", "r/1 1 500\na\n",
    ],
)  # fmt: skip
def test_broken_headers(tmp_path, text):
    with pytest.raises(FormatBroken):
        wfdb.read(put(tmp_path, text, dat=int16([1, 2])))


def test_no_signals_and_no_samples(tmp_path):
    with pytest.raises(RecordError, match="no signal"):
        wfdb.read(put(tmp_path, "r 0 500 0\n"))
    for count in ("0", ""):
        with pytest.raises(RecordError, match="no sample"):
            wfdb.read(put(tmp_path, f"r 1 500 {count}\nr.dat 16\n", dat=b""))


def test_a_header_that_declares_everything_allocates_nothing(tmp_path):
    for text in ("r 1 500 1000000000000\nr.dat 16\n", "r 1 500 9\nr.dat 16x999999999\n"):
        with pytest.raises(FormatBroken, match="another length"):
            wfdb.read(put(tmp_path, text, dat=bytes(64)))
    with pytest.raises(FormatBroken):
        wfdb.read(put(tmp_path, "r 999999999999 500 1\nr.dat 16\n", dat=bytes(64)))


def test_duplicate_lead_names_need_new_ones(tmp_path):
    stem = put(tmp_path, "r 2 500 1\nr.dat 16 1/mV 16 0 0 0 0 ECG\nr.dat 16 1/mV 16 0 0 0 0 ECG\n", dat=int16([1, 2]))
    with pytest.raises(RecordError, match="'ECG' occurs twice"):
        wfdb.read(stem)
    assert read(stem, leads=["A", "B"]).leads == ("A", "B")
    with pytest.raises(ShapeError, match="expected 2 names"):
        read(stem, leads=["A"])


def test_declared_values_win_over_the_header(tmp_path):
    record = read(two(tmp_path), fs=250, unit="uV")
    assert record.fs == 250
    np.testing.assert_allclose(record.lead("I"), [1e-6, 3e-6, -5e-6], rtol=1e-6)


def test_fifteen_leads(tmp_path):
    names = ["i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6", "vx", "vy", "vz"]
    text = "\n".join(["r 15 1000 2", *[f"r.dat 16 2000 16 0 0 0 0 {name}" for name in names]])
    record = wfdb.read(put(tmp_path, text, dat=int16(np.arange(30))))
    assert record.leads[3:6] == ("aVR", "aVL", "aVF") and record.leads[12:] == ("vx", "vy", "vz")


def test_write_keeps_signal_patient_and_missing(tmp_path, reference):
    rng = np.random.default_rng(5)
    signal = np.round(rng.standard_normal((2, 50)), 3)
    signal[1, 7] = np.nan
    record = Record(
        signal=signal, fs=360.5, leads=["I", "V2"], name="x",
        patient=Patient("17", 61.5, "male"), header={"Dx": "1,2", "comments": "one\ntwo"},
    )  # fmt: skip
    again = read(wfdb.write(record, tmp_path / "x"))
    np.testing.assert_allclose(again.signal, record.signal, atol=1e-6)
    assert again.fs == 360.5 and again.leads == record.leads and again.patient == record.patient
    assert again.header["Dx"] == "1,2" and again.header["comments"] == "one\ntwo"
    np.testing.assert_allclose(reference.rdrecord(str(tmp_path / "x")).p_signal.T, signal, atol=1e-9)


def test_write_refuses_what_does_not_fit(tmp_path):
    with pytest.raises(RecordError, match="at most ±32.767 mV"):
        wfdb.write(Record(signal=[[40.0]], fs=500, leads=["I"]), tmp_path / "x")
    with pytest.raises(RecordError, match="no blanks"):
        wfdb.write(Record(signal=[[1.0]], fs=500, leads=["I"]), tmp_path / "x y")


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # inside wfdb 4.3
def test_flac_goes_through_the_wfdb_package(tmp_path, monkeypatch, reference):
    pytest.importorskip("soundfile")
    digital = np.arange(-300, 300).reshape(300, 2).astype(np.int64)
    reference.wrsamp(
        "f", fs=500, units=["mV", "mV"], sig_name=["I", "II"], d_signal=digital, fmt=["516", "516"],
        adc_gain=[100.0, 100.0], baseline=[0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    np.testing.assert_allclose(wfdb.read(tmp_path / "f").signal.T, digital / 100, rtol=1e-6)
    monkeypatch.setitem(__import__("sys").modules, "wfdb", None)
    with pytest.raises(ExtraMissing, match="ecgprior.formats."):
        wfdb.read(tmp_path / "f")
