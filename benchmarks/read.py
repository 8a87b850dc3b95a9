"""How fast ``ep.read`` is against ``wfdb.rdrecord``: alternating in one process, on real files.

    python benchmarks/read.py [DATA]

For each set, every file is read once to warm the disk's cache; then, in each round, all files are read by one
and by the other. Printed: the median over rounds of the time a file, and of the rounds' ratios.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from ecgprior.record.read import read

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import wfdb

SETS = {
    "PTB-XL, 12 × 5000": ("ptb-xl/records500", "*_hr.hea", 40),
    "PTB-XL, 12 × 1000": ("ptb-xl/records100", "*_lr.hea", 40),
    "CinC 2021 .mat": ("cinc2021-sample", "*.hea", 40),
    "CinC 2011": ("cinc2011", "*.hea", 40),
    "MIT-BIH 100 (212)": ("wfdb-python-sample", "100.hea", 1),
    "PTB s0010_re (15)": ("wfdb-python-sample", "s0010_re.hea", 1),
}
ROUNDS = 15


def seconds(function, stems: list[str]) -> float:
    start = time.perf_counter()
    for stem in stems:
        function(stem)
    return (time.perf_counter() - start) / len(stems)


def main() -> None:
    default = Path(__file__).parents[2] / "shared" / "data"
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ECGPRIOR_DATA", default))
    print(f"{'set':20} {'files':>5} {'wfdb ms':>9} {'ours ms':>9} {'ratio':>7}")
    for name, (folder, pattern, most) in SETS.items():
        stems = [str(h.with_suffix("")) for h in sorted((data / folder).rglob(pattern))][:most]
        if not stems:
            print(f"{name:20} not found in {data}")
            continue
        seconds(wfdb.rdrecord, stems), seconds(read, stems)
        pairs = [(seconds(wfdb.rdrecord, stems), seconds(read, stems)) for _ in range(ROUNDS)]
        theirs, ours = (statistics.median(p[i] for p in pairs) * 1e3 for i in (0, 1))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{name:20} {len(stems):5d} {theirs:9.3f} {ours:9.3f} {ratio:6.1f}×")


if __name__ == "__main__":
    main()
