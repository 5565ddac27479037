"""FastGMM in a pipeline, its settings chosen by cross-validation."""

import sys

import matplotlib
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from fastgmm import FastGMM

rng = np.random.default_rng(0)
X = np.concatenate([rng.normal(centre, 1.0, (300, 2)) for centre in ((0, 0), (6, 1), (2, 7))])

search = GridSearchCV(
    make_pipeline(StandardScaler(), FastGMM(random_state=0, n_jobs=1)),
    {"fastgmm__n_components": [1, 2, 3, 4], "fastgmm__covariance_type": ["full", "spherical"]},
    n_jobs=2,
)
search.fit(X)
print(search.best_params_)

labels = search.predict(X)
for k in range(search.best_params_["fastgmm__n_components"]):
    plt.scatter(*X[labels == k].T, s=8, label=f"component {k}")
plt.gca().set_aspect("equal")
plt.xlabel("first feature")
plt.ylabel("second feature")
plt.title(
    "{fastgmm__n_components} components, covariance_type {fastgmm__covariance_type!r}".format(**search.best_params_)
)
plt.legend()
plt.tight_layout()
plt.savefig(sys.argv[1] if len(sys.argv) > 1 else "grid_search.png")
