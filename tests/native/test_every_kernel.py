"""The list of kernels that ThreadSanitizer runs and callgrind counts has whatever the core offers."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FAMILIES = (
    "components", "em_blocks", "em_histogram", "em_kmeans", "flood", "histogram", "labels", "median", "morphology",
)  # fmt: skip
# For the tests of their error.
NOT_KERNELS = {"exp_values", "log_values"}
# A function that stands in namespace fg: its type begins the line.
DECLARED = re.compile(r"^[A-Za-z_][\w:<>, ]*[ >](\w+)\(", re.MULTILINE)


def offered() -> set[str]:
    return {name for family in FAMILIES for name in DECLARED.findall((ROOT / f"csrc/core/{family}.h").read_text())}


def test_every_kernel_is_in_the_list():
    names, text = offered() - NOT_KERNELS, (ROOT / "tests/native/every_kernel.h").read_text()
    assert {"open_cross", "find_components", "grow_region", "label_values", "kmeans_step"} <= names
    assert sorted(name for name in names if not re.search(rf"\bfg::{name}\b", text)) == []
