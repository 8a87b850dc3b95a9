"""Every format: what it writes it reads back, a cut file is refused, a foreign one is not sniffed."""

import numpy as np
import pytest

from ecgprior import lookup
from ecgprior.errors import EcgpriorError, ReadError
from ecgprior.record.read import read
from ecgprior.record.record import LEADS, Patient, Record

NAMES = lookup.names("record.formats")
WRITERS = [name for name in NAMES if hasattr(lookup.module("record.formats", name), "write")]


def example(n_leads=12, n_samples=777, seed=0):
    rng = np.random.default_rng(seed)
    signal = np.round(rng.standard_normal((n_leads, n_samples)), 3).astype(np.float32)
    leads = (*LEADS, "vx", "vy", "vz")[:n_leads]
    return Record(signal=signal, fs=400, leads=leads, name="rec", patient=Patient("p1", 55, "female"))


def written(name, folder, record):
    module = lookup.module("record.formats", name)
    return module.write(record, folder / f"rec{module.SUFFIXES[0]}")


def declared(record):
    return {"fs": record.fs, "leads": record.leads, "unit": "mV"}


@pytest.mark.parametrize("name", NAMES)
def test_has_the_common_interface(name):
    module = lookup.module("record.formats", name)
    assert callable(module.sniff) and callable(module.read)
    assert module.SUFFIXES and module.__doc__


@pytest.mark.parametrize("n_leads", [1, 3, 12, 15])
@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_reads_back(tmp_path, name, n_leads):
    record = example(n_leads)
    path = written(name, tmp_path, record)
    assert lookup.module("record.formats", name).sniff(path)
    again = read(path, **declared(record))
    np.testing.assert_allclose(again.signal, record.signal, rtol=0, atol=1e-6)
    assert again.fs == record.fs and again.leads == record.leads


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "npy"])  # NPY holds nothing but numbers
def test_rate_leads_name_and_patient_are_in_the_file(tmp_path, name):
    record = example()
    again = read(written(name, tmp_path, record))
    assert (again.fs, again.leads, again.name, again.patient) == (record.fs, LEADS, "rec", record.patient)


@pytest.mark.parametrize("name", WRITERS)
def test_missing_samples_stay_missing(tmp_path, name):
    record = example(3)
    signal = record.signal.copy()
    signal[1, 5:9] = np.nan
    signal[2] = np.nan
    record = record.with_(signal=signal)
    again = read(written(name, tmp_path, record), **declared(record))
    np.testing.assert_array_equal(np.isnan(again.signal), np.isnan(signal))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", WRITERS)
def test_a_cut_file_is_refused(tmp_path, name, share):
    record = example(3)
    path = written(name, tmp_path, record)
    largest = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    data = largest.read_bytes()
    largest.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(EcgpriorError):
        read(path, **declared(record))


@pytest.mark.parametrize("name", NAMES)
def test_missing_and_foreign_files(tmp_path, name):
    module = lookup.module("record.formats", name)
    assert module.sniff(tmp_path / "none") is False
    assert module.sniff(tmp_path) is False
    with pytest.raises(ReadError):
        module.read(tmp_path / "none", fs=500)
    foreign = tmp_path / "foreign.bin"
    foreign.write_bytes(b"\x00\x01not an ECG\xff" * 20)
    assert module.sniff(foreign) is False
    with pytest.raises(EcgpriorError):
        module.read(foreign, fs=500)
