"""The body's measures in mm, drawn once from the seed; every other module of the phantom builds on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastgmm.lung.phantom._grid import Vector3
from fastgmm.lung.phantom._shapes import Solid

RIGHT, LEFT = -1, 1
SIDES = (RIGHT, LEFT)
# Half-length of what runs through the image from end to end, or ends only above or below.
LONG_MM = 1000.0
# Muscle and fat outside the rib cage, in front and behind and at the sides.
_WALL_Y_MM, _WALL_X_MM = 27.0, 33.0
_SKIN_FLAT_MM = 40.0


@dataclass(frozen=True)
class Anatomy:
    """What differs between two people, in mm; the right side is that of negative x."""

    chest_width: float  # half-width of the inner chest
    chest_depth: float  # half-depth of the inner chest
    shoulder: float  # height where the chest begins to narrow
    apex: float  # height of the lungs' apices
    dome_top: tuple[float, float]  # heights of the right and the left dome of the diaphragm
    dome_drop: float  # how far the diaphragm falls from the dome to the chest wall
    heart: Solid
    junction_x: float  # where the lungs meet behind the sternum
    junction_tilt: float
    junction_mm: float  # thickness of the two layers of pleura between them
    carina: Vector3
    mass_side: int  # side of the peripheral consolidation
    mass_angle: float  # 0 is straight to the side, positive towards the back, radians
    mass_z: float

    def chest(self, grow_mm: float = 0.0) -> Solid:
        """Return the inside of the rib cage, grown by `grow_mm`."""
        flat_x = 0.22 * self.chest_width
        solid = Solid(
            center=(self.shoulder - LONG_MM, 0.0, 0.0),
            radii=(self.apex - self.shoulder, self.chest_depth, self.chest_width - flat_x),
            flat=(LONG_MM, 0.0, flat_x),
            exponent=2.15,
        )
        return solid.grown(grow_mm)

    def skin(self) -> Solid:
        """Return the body's surface."""
        y, x = self.chest_depth + _WALL_Y_MM, self.chest_width + _WALL_X_MM - _SKIN_FLAT_MM
        return Solid((0.0, 3.0, 0.0), (1.0, y, x), (LONG_MM, 0.0, _SKIN_FLAT_MM), 2.2)


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw one person."""

    def about(value: float, spread: float) -> float:
        return float(rng.uniform(value - spread, value + spread))

    dome_left = about(80, 5)
    heart = Solid(
        center=(about(98, 4), about(-19, 3), about(24, 4)),
        radii=(about(56, 3), about(48, 3), about(62, 4)),
    )
    return Anatomy(
        chest_width=about(134, 5),
        chest_depth=about(90, 4),
        shoulder=about(140, 6),
        apex=about(282, 5),
        dome_top=(dome_left + about(11, 4), dome_left),
        dome_drop=about(62, 4),
        heart=heart,
        junction_x=about(2, 3),
        junction_tilt=about(0.0, 0.05),
        junction_mm=about(1.6, 0.2),
        carina=(about(176, 4), about(21, 2), about(-3, 2)),
        mass_side=int(rng.choice(SIDES)),
        mass_angle=about(0.5, 0.25),
        mass_z=about(125, 10),
    )
