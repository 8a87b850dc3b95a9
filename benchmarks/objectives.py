"""What does PhysioCLR cost beside SimCLR, with the same encoder and number of encoder passes? The ceiling is 1.2 ×.

    python benchmarks/objectives.py [--recipe physioclr-small] [--steps 15] [--batch 64] [--device cpu]

Whole optimiser steps – views, encoder, loss, backward, AdamW – on windows of noise with a beat every 0.8 s and the
engine's own list of features. The two take turns, so that both meet the same machine; processor time is counted on a
CPU, time on the wall on a GPU. SimCLR's two passes are compared with PhysioCLR without the adjacent window, and, times
3/2, with all three. Each term is then switched off in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ecgprior import lookup
from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder
from ecgprior.objectives.base import Objective
from ecgprior.physiology.features.registry import feature_names
from ecgprior.training.plan import PretrainRecipe
from ecgprior.training.step import adamw

CEILING = 1.2
BEAT_S = ((-0.20, -0.16, -0.11), (-0.05, 0.0, 0.05), (0.18, 0.28, 0.36))


def main() -> None:
    """Print one line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="physioclr-small")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    recipe = PretrainRecipe.read(asked.recipe)
    device = torch.device(asked.device)
    same = {"view_seconds": recipe.objective.get("view_seconds"), "temperature": 0.1, "name": "simclr"}
    same["augmentations"] = [*recipe.objective.get("augmentations", ()), {"name": "lead_mask", "share": 0.5}]
    variants: dict[str, dict[str, Any]] = {
        "simclr": same,
        "two passes": {**recipe.objective, "adjacent": False},
        "three passes": recipe.objective,
        "– no shuffling": {**recipe.objective, "shuffle": []},
        "– no decoder": {**recipe.objective, "global_weight": 0.0, "peak_weight": 0.0},
        "+ regression": {**recipe.objective, "regression_weight": 1.0},
    }
    steps = {name: _stepper(recipe, values, asked.batch, device) for name, values in variants.items()}
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(asked.steps + 2):
        for name, (step, _) in steps.items():
            spent[name].append(_timed(step, number, device))
    middle = {name: float(np.median(times[2:])) for name, times in spent.items()}
    own = middle["simclr"] / 2
    print(
        f"{recipe.encoder['name']} {recipe.encoder.get('size', '')}, batch {asked.batch}, {device}, {asked.steps} steps"
    )
    for name, (_, passes) in steps.items():
        ratio = middle[name] / (own * passes)
        verdict = "" if name == "simclr" else "ok" if ratio <= CEILING else "ABOVE"
        print(
            f"{name:15} {passes} passes {middle[name] * 1e3:8.1f} ms, {ratio:5.2f} × SimCLR's of as many  {verdict}"
        )


def _stepper(
    recipe: PretrainRecipe, values: dict[str, Any], size: int, device: torch.device
) -> tuple[Callable[[int], None], int]:
    """A function that makes step `number`, and its passes."""
    kind: type[Objective] = lookup.method("objectives", values["name"], Objective)
    settings = {key: value for key, value in values.items() if key != "name"}
    preprocessing = recipe.preprocessing
    encoder = build_encoder(
        recipe.encoder["name"], recipe.settings("encoder"), preprocessing.leads, preprocessing.fs, seed=0
    )
    torch.manual_seed(0)
    objective = kind(encoder, kind.Config.check(settings))
    names = feature_names(preprocessing.leads)
    whole = torch.from_numpy(np.random.default_rng(0).normal(size=(500, len(names))).astype(np.float32))
    rows = tuple(map(str, range(len(whole))))
    objective.before_training({"features": whole}, {"features": names, "rows": rows})
    objective.to(device).train()
    optimiser = adamw(objective, recipe.optimiser)
    batch = _window(recipe, size, 0).with_(next=_window(recipe, size, 1)).to(device)

    def step(number: int) -> None:
        objective(batch, BatchRandom.for_batch(0, number, batch)).total.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step, objective.passes


def _window(recipe: PretrainRecipe, size: int, seed: int) -> Batch:
    fs, leads, samples = recipe.preprocessing.fs, recipe.preprocessing.leads, recipe.samples
    generator = torch.Generator().manual_seed(seed)
    r = torch.arange(0.3, recipe.seconds - 0.4, 0.8)
    fiducials = (r[:, None, None] + torch.tensor(BEAT_S)) * fs
    return Batch(
        signal=torch.randn(size, len(leads), samples, generator=generator),
        lead_mask=torch.ones(size, len(leads), dtype=torch.bool),
        valid=torch.ones(size, samples, dtype=torch.bool),
        row=torch.arange(size),
        start=torch.zeros(size, dtype=torch.int64),
        patient=torch.arange(size),
        columns={
            "features": torch.randn(size, len(feature_names(leads)), generator=generator),
            "fiducials": fiducials.expand(size, -1, -1, -1).clone(),
        },
        fs=fs,
    )


def _timed(step: Callable[[int], None], number: int, device: torch.device) -> float:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    began = clock()
    step(number)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - began


if __name__ == "__main__":
    main()
