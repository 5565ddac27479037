"""Choose the number of components by BIC, and see how certain the means are."""

import sys

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from fastgmm import FastGMM

rng = np.random.default_rng(0)
X = np.concatenate([rng.normal(mean, 1.0, 2000) for mean in (-6, 0, 5)])[:, np.newaxis]

best = FastGMM(init_params="optimal", tol=1e-8, max_iter=2000, acceleration="squarem").select_components(X, range(1, 5))
errors = best.standard_errors(X)
for mean, error in zip(best.means_[:, 0], errors.means, strict=True):
    print(f"{mean:.3f} ± {error:.3f}")

plt.plot([s.n_components for s in best.selection_], [s.value for s in best.selection_], marker="o")
plt.xlabel("components")
plt.ylabel("BIC")
plt.savefig(sys.argv[1] if len(sys.argv) > 1 else "model_choice.png")
