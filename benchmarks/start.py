"""How long ``import ecgprior`` and ``ecgprior --help`` take, as whole processes less the bare interpreter.

    python benchmarks/start.py
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import ecgprior": [sys.executable, "-c", "import ecgprior"],
    "ecgprior --help": [sys.executable, "-m", "ecgprior", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Run the commands in turn, and print the median of each."""
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS + 1)][1:]
    for name in COMMANDS:
        times = [one[name] for one in rounds]
        print(f"{name:16s} {statistics.median(times):.3f} s (fastest {min(times):.3f})")


if __name__ == "__main__":
    main()
