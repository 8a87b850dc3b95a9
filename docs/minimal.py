"""The whole method on one page: SimCLR on simulated ECGs, from signal to probe.

    python docs/minimal.py            about a minute on one core
    python docs/minimal.py 200 20     200 ECGs, 20 steps: what the test runs

Read it from top to bottom. Every part is the library's own (the simulator, the preprocessing, the encoder, the
augmentations, the probe and its metrics); only what `ecgprior pretrain` and `ecgprior probe` add around them –
corpora on disk, resume, several processes, logs, checkpoints – is left out. The ECGs are simulated: the numbers
say that the machinery works, and nothing about patients.
"""

import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

from ecgprior import simulate
from ecgprior.augmentations.crop_resize import CropResize
from ecgprior.augmentations.lead_mask import LeadMask
from ecgprior.augmentations.time_out import TimeOut
from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder, n_parameters
from ecgprior.evaluation.bootstrap import auroc_difference, auroc_interval
from ecgprior.evaluation.probe import fit_probe
from ecgprior.objectives._views import crop
from ecgprior.record.preprocess import Preprocessing

SEED, BATCH, TEMPERATURE = 0, 64, 0.1
PREPROCESSING = Preprocessing(fs=100, baseline_hz=0.5, clip_mv=4)


# 1. Signals. A record is float32 millivolts (lead, time) with leads by name; what preprocessing does to it is one
#    object, because a checkpoint must later do exactly the same to somebody else's ECG.
def make_ecgs(n):
    print(*PREPROCESSING.explain(), sep="\n")
    signals, lead_masks, labels, patients = [], [], [], []
    for ecg in simulate(n, seed=SEED):
        signal, lead_mask = PREPROCESSING.apply(ecg.record)  # (12, 1000), (12,)
        signals.append(signal)
        lead_masks.append(lead_mask)
        labels.append(ecg.labels)
        patients.append(ecg.record.patient.id)
    names = sorted({label for own in labels for label in own})
    y = np.array([[name in own for name in names] for own in labels], np.float32)
    return np.stack(signals), np.stack(lead_masks), y, names, np.array(patients)


# 2. A split. By patient, never by record: two ECGs of one person are nearly the same ECG.
def split_by_patient(patients):
    people = np.random.default_rng(SEED).permutation(np.unique(patients))
    fold = {person: 5 * i // len(people) for i, person in enumerate(people)}
    folds = np.array([fold[p] for p in patients])
    return folds < 3, folds == 3, folds == 4  # train, validation, test


# 3. A batch. 0 where nothing was recorded, with masks that say where; each row has the key of its random numbers.
def make_batch(signal, lead_mask, rows):
    return Batch(
        signal=torch.from_numpy(signal[rows]),
        lead_mask=torch.from_numpy(lead_mask[rows]),
        valid=torch.ones(len(rows), signal.shape[-1], dtype=torch.bool),
        row=torch.from_numpy(rows),
        start=torch.zeros(len(rows), dtype=torch.int64),
        patient=torch.from_numpy(rows),
    )


# 4. A view: 2.5 seconds from anywhere, a little faster or slower, with a gap, and only some of the leads.
def view(batch, rng):
    batch = crop(batch, rng.split("place"), 250)
    batch = CropResize(low=0.5)(batch, rng.split("pace"))
    batch = TimeOut(high=0.5)(batch, rng.split("gap"))
    return LeadMask(share=0.5)(batch, rng.split("leads"))


# 5. The objective (Chen et al. 2020, NT-Xent): each view must find its partner among all other views of the batch.
def nt_xent(a, b):
    z = F.normalize(torch.cat([a, b]), dim=1)
    similarity = (z @ z.T / TEMPERATURE).fill_diagonal_(-torch.inf)  # nobody is its own partner
    partner = torch.arange(len(z)).roll(len(a))
    return F.cross_entropy(similarity, partner)


# 6. Training: AdamW, one-cycle rate. The random numbers of a step are keyed by seed, step and record.
def train(encoder, signal, lead_mask, rows, steps):
    projector = torch.nn.Sequential(
        torch.nn.Linear(encoder.dim, encoder.dim), torch.nn.ReLU(), torch.nn.Linear(encoder.dim, 128)
    )
    parameters = [*encoder.parameters(), *projector.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=max(steps, 2))
    encoder.train()
    began = time.perf_counter()
    for step in range(steps):
        chosen = np.random.default_rng([SEED, step]).choice(rows, min(BATCH, len(rows)), replace=False)
        batch = make_batch(signal, lead_mask, chosen)
        rng = BatchRandom.for_batch(SEED, step, batch)
        seen = [view(batch, rng.split(f"view {i}")) for i in (1, 2)]
        a, b = (projector(encoder(v.signal, v.lead_mask, v.valid).pooled) for v in seen)
        loss = nt_xent(a, b)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % max(steps // 5, 1) == 0 or step == steps - 1:
            print(f"step {step:4d}  loss {loss.item():.3f}  {time.perf_counter() - began:5.1f} s")
    return encoder  # the projector is dropped


# 7. Embeddings: one vector an ECG, the encoder frozen.
@torch.no_grad()
def embed(encoder, signal, lead_mask):
    encoder.eval()
    parts = np.array_split(np.arange(len(signal)), max(len(signal) // 256, 1))
    batches = (make_batch(signal, lead_mask, rows) for rows in parts)
    return np.concatenate([encoder(b.signal, b.lead_mask, b.valid).pooled.numpy() for b in batches])


# 8. The question: what can a straight line read off the embedding? The strength of its penalty is chosen on the
#    validation part; the test part is looked at once. Beside it the same encoder, never trained: without this control
#    no number below would mean anything.
def main(n=1500, steps=300):
    signal, lead_mask, y, names, patients = make_ecgs(n)
    training, validation, test = split_by_patient(patients)
    scores = {}
    for arm, n_steps in (("random encoder", 0), ("SimCLR", steps)):
        encoder = build_encoder("xresnet1d", {"size": "0.5m"}, leads=PREPROCESSING.leads, fs=100, seed=SEED)
        if n_steps:
            print(f"{n_parameters(encoder):,} parameters, {training.sum()} training ECGs, {n_steps} steps")
            encoder = train(encoder, signal, lead_mask, np.flatnonzero(training), n_steps)
        x = embed(encoder, signal, lead_mask)
        probe = fit_probe(x[training], y[training], x[validation], y[validation])
        scores[arm] = probe.predict(x[test])
    print(
        f"Simulated ECGs, {test.sum()} of unseen patients, labels {', '.join(names)}: macro AUROC of a linear probe"
    )
    intervals = {arm: auroc_interval(y[test], s, patients[test], seed=SEED) for arm, s in scores.items()}
    for arm, interval in intervals.items():
        print(f"{arm:16s} {interval}")
    gap = auroc_difference(y[test], scores["SimCLR"], scores["random encoder"], patients[test], seed=SEED)
    print(f"{'difference':16s} {gap}")
    return intervals


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
