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

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
numbers, values = zip(*best.selection_, strict=True)
left.plot(numbers, values, marker="o")
left.plot(best.n_components, min(values), marker="o", markersize=14, fillstyle="none", color="black")
left.set_xticks(numbers)
left.set_xlabel("components (the least BIC is circled)")
left.set_ylabel("BIC")
x = np.linspace(X.min(), X.max(), 500)[:, np.newaxis]
right.hist(X[:, 0], bins=80, density=True, color="0.85")
right.plot(x, np.exp(best.score_samples(x)), color="black")
for mean, error in zip(best.means_[:, 0], errors.means, strict=True):
    right.axvspan(mean - 1.96 * error, mean + 1.96 * error, color="tab:red")
right.set_xlabel("value (red: 95 % intervals of the means)")
right.set_ylabel("density")
figure.tight_layout()
plt.savefig(sys.argv[1] if len(sys.argv) > 1 else "model_choice.png")
