"""Fit rows that do not fit in memory: chunks from a file, one pass for every EM step."""

import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from fastgmm import FastGMM

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "rows.npy"
    rng = np.random.default_rng(0)
    np.save(path, np.concatenate([rng.normal(centre, 1.0, (50_000, 3)) for centre in (0, 3, 6)]))

    def chunks():
        """Open the file anew for every pass."""
        rows = np.load(path, mmap_mode="r")
        return (np.array(rows[begin : begin + 10_000]) for begin in range(0, len(rows), 10_000))

    model = FastGMM(3, init_params="optimal", tol=1e-10, max_iter=500).fit_stream(chunks).sorted()

print(model.n_iter_, model.means_.round(2).tolist())
distances = model.lower_bound_ - np.array(model.lower_bounds_[:-1])
plt.semilogy(range(1, model.n_iter_), distances, marker="o")
plt.xlabel("step: one pass over the chunks")
plt.ylabel("mean log-likelihood: distance to the last")
plt.title(f"{model.n_iter_} passes over 150,000 rows, 10,000 at a time in memory")
plt.tight_layout()
plt.savefig(sys.argv[1] if len(sys.argv) > 1 else "stream.png")
