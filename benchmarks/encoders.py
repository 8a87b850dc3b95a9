"""What a training step costs: seconds for forward and backward of one batch, for every size of every encoder.

    OMP_NUM_THREADS=1 python benchmarks/encoders.py [--threads 1] [--fs 100] [--seconds 10] [--batch 64] [--all]

Time is processor time of this process (a busy machine changes it little), the least of five repeats. ``padded``
is the same batch of which the last quarter of every second window is padding, so that masked norms run. Without
``--all``, sizes above 10 million parameters are left out.
"""

import argparse
import time

import torch

from ecgprior import lookup
from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.encoders.base import Encoder
from ecgprior.record.record import LEADS


def seconds_a_step(encoder: Encoder, inputs: tuple[torch.Tensor, ...], repeats: int) -> float:
    """Processor seconds of one forward and backward."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        encoder(*inputs).pooled.square().sum().backward()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fs", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    length = round(options.fs * options.seconds)
    signal = torch.randn(options.batch, len(LEADS), length, generator=torch.Generator().manual_seed(0))
    present = torch.ones(options.batch, len(LEADS), dtype=torch.bool)
    whole = torch.ones(options.batch, length, dtype=torch.bool)
    part = whole.clone()
    part[::2, length * 3 // 4 :] = False
    print(f"batch ({options.batch}, {len(LEADS)}, {length}), {options.threads} thread(s), torch {torch.__version__}")
    print(f"{'encoder':<12} {'size':<6} {'parameters':>12} {'dim':>5} {'step s':>8} {'padded s':>9} {'ms a window':>12}")
    for name in lookup.names("encoders"):
        for size in lookup.method("encoders", name, Encoder).Config.model_json_schema()["properties"]["size"]["enum"]:
            encoder = build_encoder(name, {"size": size}, LEADS, options.fs, seed=0)
            count = n_parameters(encoder)
            if count > 10e6 and not options.all:
                continue
            repeats = 5 if count < 2e6 else 2
            step = seconds_a_step(encoder, (signal, present, whole), repeats)
            padded = seconds_a_step(encoder, (signal, present, part), repeats)
            each = 1e3 * step / options.batch
            print(f"{name:<12} {size:<6} {count:>12,} {encoder.dim:>5} {step:>8.3f} {padded:>9.3f} {each:>12.1f}", flush=True)


if __name__ == "__main__":
    main()
