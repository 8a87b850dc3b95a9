"""Miniatures of publishers' folders, whose recordings are simulated hearts, so that the engine can measure them."""

import numpy as np
import pytest

from ecgprior.corpus.measured import measure_corpus
from ecgprior.corpus.prepare import prepare
from ecgprior.record.formats import wfdb
from ecgprior.record.record import LEADS, Record
from ecgprior.simulator.simulate import simulate

CAUSES = ("NORM", "AF", "RBBB", "LBBB")
SNOMED = {"NORM": "426783006", "AF": "164889003", "RBBB": "59118001", "LBBB": "164909002"}
SCP = {
    "NORM": "{'NORM': 100.0, 'SR': 0.0}",
    "AF": "{'NDT': 100.0, 'AFIB': 0.0}",
    "RBBB": "{'CRBBB': 100.0, 'SR': 0.0}",
    "LBBB": "{'CLBBB': 100.0, 'LVH': 50.0, 'SR': 0.0}",
}
STATEMENTS = {
    "NORM": ("Sinus rhythm", "Normal ECG"),
    "AF": ("Atrial fibrillation", ""),
    "RBBB": ("Sinus rhythm", "Right bundle branch block"),
    "LBBB": ("Sinus rhythm", "Left bundle branch block"),
}


def hearts(n, seed):
    """`n` pairs (cause, Record of 10 s at 500 Hz), the causes in turn."""
    streams = {cause: simulate(n, seed=10 * seed + i, causes=[cause]) for i, cause in enumerate(CAUSES)}
    return [(cause, next(streams[cause]).record) for cause in (CAUSES[i % len(CAUSES)] for i in range(n))]


def challenge_set(folder, names, seed):
    """Records as the challenge of 2021 writes them: MAT v4 of microvolts, and a header with SNOMED codes."""
    folder.mkdir(parents=True)
    for name, (cause, record) in zip(names, hearts(len(names), seed), strict=True):
        values = np.round(record.signal * 1000).astype("<i2")
        head = np.array([30, 12, values.shape[1], 0, 4], "<i4").tobytes() + b"val\0"
        (folder / f"{name}.mat").write_bytes(head + values.T.tobytes())
        sums = values.astype(np.int64).sum(axis=1).astype(np.int16)
        lines = [f"{name} 12 500 {values.shape[1]}"]
        lines += [
            f"{name}.mat 16+24 1000.0(0)/mV 16 0 {v[0]} {s} 0 {lead}"
            for v, s, lead in zip(values, sums, LEADS, strict=True)
        ]
        lines += ["# Age: 60", "# Sex: Female", f"# Dx: {SNOMED[cause]}", "# Rx: Unknown"]
        (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")


def measured(sources, to):
    """A corpus of these folders at 500 Hz, with the table of features."""
    corpus = prepare(sources, to, workers=1)
    measure_corpus(corpus, workers=1)
    return corpus


@pytest.fixture(scope="session")
def challenge(tmp_path_factory):
    """Corpus of four sets of the challenge 2021: chapman, georgia, cpsc2018 (80 each) and ningbo (20)."""
    root = tmp_path_factory.mktemp("challenge") / "training"
    challenge_set(root / "chapman_shaoxing" / "g1", [f"JS{i:05d}" for i in range(1, 81)], 1)
    challenge_set(root / "georgia" / "g1", [f"E{i:05d}" for i in range(1, 81)], 2)
    challenge_set(root / "cpsc_2018" / "g1", [f"A{i:04d}" for i in range(1, 81)], 3)
    challenge_set(root / "ningbo" / "g1", [f"JS{i:05d}" for i in range(10647, 10667)], 4)
    folders = {
        "chapman": "chapman_shaoxing",
        "georgia": "georgia",
        "cpsc2018": "cpsc_2018",
        "ningbo": "ningbo",
    }
    sources = {source: root / folder for source, folder in folders.items()}
    return measured(sources, tmp_path_factory.mktemp("corpus") / "challenge")


@pytest.fixture(scope="session")
def ptbxl(tmp_path_factory):
    """Corpus of PTB-XL's folder: 100 records of 50 patients, ten folds."""
    root = tmp_path_factory.mktemp("ptb-xl")
    (root / "records500" / "00000").mkdir(parents=True)
    lines = ["ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"]
    for i, (cause, record) in enumerate(hearts(100, 5), start=1):
        path = f"records500/00000/{i:05d}_hr"
        wfdb.write(record, root / path)
        patient, fold = (i - 1) // 2, (i - 1) // 2 // 2 % 10 + 1
        low = f"records100/00000/{i:05d}_lr"
        lines.append(f'{i},{patient}.0,60.0,{i % 2},"{SCP[cause]}",{fold},{low},{path}')
    (root / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    return measured({"ptbxl": root}, tmp_path_factory.mktemp("corpus") / "ptbxl")


@pytest.fixture(scope="session")
def mimic_iv_ecg(tmp_path_factory):
    """Corpus of MIMIC-IV-ECG's folder: 80 studies of 40 patients; aVF is stored before aVL."""
    root = tmp_path_factory.mktemp("mimic-iv-ecg")
    order = (*range(4), 5, 4, *range(6, 12))
    leads = tuple(LEADS[i] for i in order)
    records = ["subject_id,study_id,file_name,ecg_time,path"]
    reports = [",".join(["subject_id,study_id,cart_id,ecg_time", *(f"report_{i}" for i in range(18))])]
    for i, (cause, record) in enumerate(hearts(80, 6)):
        subject, study = 10000000 + i // 2, 40000000 + i
        path = f"files/p1000/p{subject}/s{study}/{study}"
        (root / path).parent.mkdir(parents=True)
        wfdb.write(Record(signal=record.signal[list(order)], fs=record.fs, leads=leads), root / path)
        when = "2180-07-23 08:44:00"
        records.append(f"{subject},{study},{study},{when},{path}")
        said = ",".join([*STATEMENTS[cause], *[""] * 16])
        reports.append(f"{subject},{study},1,{when},{said}")
    (root / "record_list.csv").write_text("\n".join(records) + "\n")
    (root / "machine_measurements.csv").write_text("\n".join(reports) + "\n")
    return measured({"mimic_iv_ecg": root}, tmp_path_factory.mktemp("corpus") / "mimic")
