"""Broken files of every kind: only our errors come out, and no header makes us allocate what no file holds."""

import contextlib
import resource
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgprior.errors import EcgpriorError
from ecgprior.record.formats import csv, mat, npy, wfdb
from ecgprior.record.formats._wfdb_header import parse_header
from ecgprior.record.read import read
from ecgprior.record.record import Record

FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HEADER = b"r 2 500 4\nr.dat 16x1:0+0 1000.0(0)/mV 16 0 1 4 0 I\nr.dat 212 200(-4)/uV 12 0 2 9 0 II\n#Age: 50\n"
WORDS = [
    b"0", b"1", b"-1", b"3", b"16", b"80", b"212", b"310", b"311", b"8", b"24", b"32", b"61", b"508", b"500", b"nan", b"inf",
    b"1e400", b"1000000000000", b"99999999999999999999", b"r.dat", b"r.hea", b"/dev/zero", b"../r.dat", b"~", b"16x3", b"16:2",
    b"16+24", b"16x999999", b"0/mV", b"1e-400/V", b"5(3)/mmHg", b"\xff\xfe", b"\0", b"#", b"\r", b"", b"I",
]  # fmt: skip


@st.composite
def headers(draw):
    """Headers near a good one: words replaced, lines dropped or doubled, bytes changed."""
    n = draw(st.integers(1, 3))
    lines = [[b"r", b"%d" % n, b"500", b"4"]]
    fmt = draw(st.sampled_from([b"16", b"80", b"212", b"24", b"8", b"310", b"16x2"]))
    lines += [[b"r.dat", fmt, b"200(1)/mV", b"16", b"0", b"1", b"4", b"0", b"L%d" % i] for i in range(n)]
    for _ in range(draw(st.integers(0, 4))):
        line = draw(st.sampled_from(lines))
        if line:
            line[draw(st.integers(0, len(line) - 1))] = draw(st.sampled_from(WORDS))
    if draw(st.booleans()):
        lines.append([b"#Age:", draw(st.sampled_from(WORDS))])
    data = bytearray(b"\n".join(b" ".join(line) for line in lines))
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@FUZZ
@given(header=headers(), data=st.binary(max_size=80))
def test_mutated_records(tmp_path, header, data):
    (tmp_path / "r.hea").write_bytes(header)
    (tmp_path / "r.dat").write_bytes(data)
    try:
        record = wfdb.read(tmp_path / "r", checksum=False)
    except EcgpriorError:
        return
    assert record.signal.dtype == np.float32
    # Never more samples than a byte of the file can hold, 8 bits being the fewest of a format.
    assert record.n_samples <= max(1, len(data))


@FUZZ
@given(data=st.binary(max_size=200))
def test_headers_of_any_bytes(data):
    with contextlib.suppress(EcgpriorError):
        parse_header(data.decode("latin-1"))


@settings(FUZZ, max_examples=100)
@given(lines=st.lists(st.tuples(st.sampled_from(["a", "b", "~", "r", "../a", "lay"]), st.sampled_from(
    ["0", "2", "3", "1000000000000", "-1", "x"])), min_size=1, max_size=4))  # fmt: skip
def test_segments_of_any_names_and_lengths(tmp_path, lines):
    (tmp_path / "a.hea").write_text("a 1 500 2\na.dat 16 1/mV 16 0 0 0 0 I\n")
    (tmp_path / "a.dat").write_bytes(bytes(4))
    (tmp_path / "b.hea").write_text("b 1 500 3\nb.dat 16 1/mV 16 0 0 0 0 II\n")
    (tmp_path / "b.dat").write_bytes(bytes(6))
    (tmp_path / "lay.hea").write_text("lay 2 500 0\n~ 0 1/mV 16 0 0 0 0 I\n~ 0 1/mV 16 0 0 0 0 II\n")
    text = "\n".join([f"r/{len(lines)} 2 500", *[f"{name} {length}" for name, length in lines]])
    (tmp_path / "r.hea").write_text(text)
    with contextlib.suppress(EcgpriorError):
        assert wfdb.read(tmp_path / "r").n_samples < 10_000


def good_files(folder):
    record = Record(signal=np.random.default_rng(0).standard_normal((3, 40)), fs=500, leads=["I", "II", "V1"])
    from scipy import io

    csv.write(record, folder / "a.csv")
    npy.write(record, folder / "a.npy")
    io.savemat(folder / "four.mat", {"val": record.signal}, format="4")
    io.savemat(folder / "five.mat", {"val": record.signal, "fs": 500.0})
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return good_files(tmp_path_factory.mktemp("good"))


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize(("name", "module"), [("a.csv", csv), ("a.npy", npy), ("four.mat", mat), ("five.mat", mat)])
@pytest.mark.filterwarnings("ignore")  # SciPy and NumPy warn about what they then refuse
def test_changed_bytes(tmp_path, originals, name, module, data):
    changed = bytearray(originals[name])
    for _ in range(data.draw(st.integers(1, 3))):
        # the first bytes say most: sizes, types, names
        place = data.draw(st.integers(0, min(len(changed), data.draw(st.sampled_from([40, 400]))) - 1))
        changed[place] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(changed)
    with contextlib.suppress(EcgpriorError):
        module.read(tmp_path / name, fs=500, leads=["I", "II", "V1"], unit="mV")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_no_declaration_allocates_what_no_file_holds(tmp_path):
    (tmp_path / "r.dat").write_bytes(bytes(64))
    texts = [
        "r 1 500 1000000000000\nr.dat 16\n",
        "r 1 500\nr.dat 16x99999999999\n",
        "r 1 500 4\nr.dat 16:999999999999\n",
        "r 1 500 4\nr.dat 16+999999999999\n",
        "r 2 500 1000000000000\nr.dat 16\nother.dat 16\n",
        "r/1 12 500 1000000000000\n~ 1000000000000\n",
    ]
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), limits[1]))
    try:
        for text in texts:
            (tmp_path / "r.hea").write_text(text)
            with contextlib.suppress(EcgpriorError):
                assert read(tmp_path / "r").n_samples <= 64
        header = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
        shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (12, 1000000000000), }"
        (tmp_path / "a.npy").write_bytes(header + shape.ljust(117) + b"\n")
        (tmp_path / "a.mat").write_bytes(struct.pack("<5i", 0, 2**31 - 1, 2**31 - 1, 0, 4) + b"val\0")
        for name in ("a.npy", "a.mat"):
            with pytest.raises(EcgpriorError):
                read(tmp_path / name, fs=500)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
