"""What sources with WFDB files put right: another gain than the header's, absent leads, marks of several files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...record.formats.wfdb import read_annotations, read_header
from ...record.record import Annotations, Record, canonical_lead


def header_path(path: Path) -> Path:
    """The header of a record that is named by its stem."""
    return path if path.suffix == ".hea" else path.with_name(f"{path.name}.hea")


def common_gain(record: Record, path: Path, units_per_mv: float) -> Record:
    """The record with every lead at one gain and baseline 0, whatever the header says.

    The integers are found again from the millivolts, gains and baselines that the header gave, so this is exact for
    integers below 2**22.

    Parameters
    ----------
    record : Record
        As its header has it.
    path : Path
        The record's stem.
    units_per_mv : float
    """
    header = read_header(header_path(path))
    gain = np.array([line.gain for line in header.signals])[:, None]
    baseline = np.array([line.baseline for line in header.signals])[:, None]
    integers = np.rint(record.signal.astype(np.float64) * gain + baseline)
    return record.with_(signal=integers / units_per_mv)


def without_constant_leads(record: Record) -> Record:
    """The record with NaN for every lead that holds one value from beginning to end: it was not recorded."""
    low, high = record.signal.min(axis=1), record.signal.max(axis=1)
    flat = low == high
    if not flat.any() or record.n_samples < 2:
        return record
    signal = record.signal.copy()
    signal[flat] = np.nan
    return record.with_(signal=signal)


def all_annotations(path: Path, suffixes: Sequence[str]) -> Annotations | None:
    """The marks of one annotation file a lead as one list, ordered by sample; None when there is no file.

    Parameters
    ----------
    path : Path
        The record's stem.
    suffixes : sequence of str
        One a lead: the suffix is the lead's name.
    """
    parts = [
        (canonical_lead(suffix), read_annotations(path, suffix))
        for suffix in suffixes
        if path.with_name(f"{path.name}.{suffix}").is_file()
    ]
    if not parts:
        return None
    sample = np.concatenate([marks.sample for _, marks in parts])
    order = np.argsort(sample, kind="stable")
    symbol = [symbol for _, marks in parts for symbol in marks.symbol]
    lead = [name for name, marks in parts for _ in range(len(marks))]
    note = [note for _, marks in parts for note in marks.note]
    places = order.tolist()  # numpy's own integers are slow to index a list with
    pick = lambda values: tuple([values[i] for i in places])  # noqa: E731
    return Annotations(sample[order], pick(symbol), pick(lead), pick(note))
