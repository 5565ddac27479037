"""Fit the grey values of a CT from their counts, and draw the mixture over them."""

import sys

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from fastgmm import FastGMM, Histogram

rng = np.random.default_rng(0)
first_scan = np.concatenate([rng.normal(-850, 60, 400_000), rng.normal(-450, 60, 200_000)]).round().astype(np.int16)
second_scan = np.concatenate([rng.normal(-850, 60, 300_000), rng.normal(40, 30, 200_000)]).round().astype(np.int16)

counts = Histogram.from_array(first_scan) + Histogram.from_array(second_scan)
model = FastGMM(3, init_params="optimal", tol=1e-8, max_iter=1000).fit_histogram(counts).sorted()
print(model.means_.ravel().round(1), model.weights_.round(3))

hu = counts.values[:, np.newaxis]
density = np.exp(model.score_samples(hu))
plt.bar(counts.values, counts.counts / counts.n, width=1.0, color="0.85", label="counts of both scans")
plt.plot(counts.values, density, color="black", linewidth=2, label="mixture")
for mean, part in zip(model.means_[:, 0], (density[:, np.newaxis] * model.predict_proba(hu)).T, strict=True):
    plt.plot(counts.values, part, linewidth=1.5, linestyle="--", label=f"component at {mean:.0f} HU")
plt.xlabel("HU")
plt.ylabel("share of the voxels per HU")
plt.legend()
plt.tight_layout()
plt.savefig(sys.argv[1] if len(sys.argv) > 1 else "ct_histogram.png")
