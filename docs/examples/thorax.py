"""Draw a synthetic thorax: slices in a lung window above, what they are made of below."""

import sys

import numpy as np
from PIL import Image

from fastgmm.lung.phantom import thorax_phantom
from fastgmm.lung.tissue import CLASSES

N_GREYS, AIRWAYS, GAS = 40, (255, 255, 255), (150, 90, 220)

thorax = thorax_phantom((213, 256, 256), seed=3)
greys = np.clip((thorax.volume.astype(int) + 1100) * N_GREYS // 1400, 0, N_GREYS - 1).astype(np.uint8)
truth = np.where(thorax.truth.airways, 6, np.where(thorax.truth.gas, 7, thorax.truth.tissue))
painted = np.where(truth > 0, N_GREYS - 1 + truth, greys // 2).astype(np.uint8)

# Axial slices at the stomach, the heart and the fork of the airways; a coronal slice at the fork; a sagittal one.
slices = [np.s_[40], np.s_[80], np.s_[114], np.s_[::-1, 132], np.s_[::-1, :, 178]]
columns = []
for where in slices:
    pair = [np.pad(image[where], ((0, 256 - len(image[where])), (0, 0))) for image in (greys, painted)]
    columns.append(np.concatenate(pair))
picture = Image.fromarray(np.concatenate(columns, axis=1), mode="P")
colours = [*(tissue.colour for tissue in CLASSES), AIRWAYS, GAS]
picture.putpalette(bytes(np.repeat(np.linspace(0, 255, N_GREYS).astype(np.uint8), 3)) + bytes(sum(colours, ())))
picture.save(sys.argv[1] if len(sys.argv) > 1 else "thorax.png", optimize=True)
