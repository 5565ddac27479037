"""The floors and the start-up rule, read from the source text."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
SOURCE = REPOSITORY / "src"
MODULES = sorted((SOURCE / "fastgmm").rglob("*.py"))

# Longest matching prefix wins. The package's own __init__ and __main__ stand above all floors: they hand out names.
FLOORS = {
    "fastgmm": 8,
    "fastgmm.cli": 7,
    "fastgmm.cohort": 6,
    "fastgmm.study": 6,
    "fastgmm.lung": 5,
    "fastgmm.io": 5,
    "fastgmm.mixture": 4,
    "fastgmm.volume": 4,
    "fastgmm.backends": 3,
    "fastgmm.backends._reference": 2,
    "fastgmm.backends._cpp": 2,
    "fastgmm.backends._numba": 2,
    "fastgmm.backends._cuda": 2,
    "fastgmm.backends._device_source": 1,
    "fastgmm.backends._contract": 1,
    "fastgmm.errors": 0,
    "fastgmm._types": 0,
    "fastgmm._arrays": 0,
    "fastgmm._cgroups": 0,
    "fastgmm._checks": 0,
    "fastgmm._histogram": 0,
    "fastgmm._memory": 0,
    "fastgmm._packed_mask": 0,
    "fastgmm._threads": 0,
    "fastgmm._core": 0,
}
HEAVY = {"sklearn", "scipy", "SimpleITK", "matplotlib", "pandas", "nibabel", "nrrd", "pydicom", "PIL", "rich", "joblib"}
SCAN_READERS = {"SimpleITK", "nibabel", "nrrd", "pydicom", "isal", "gzip", "zlib"}


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] in ("__init__", "__main__") else parts)


def part_of(module: str) -> str:
    """The longest prefix of a module's name that has a floor."""
    while module not in FLOORS:
        module = module.rpartition(".")[0]
    return module


KNOWN = {name_of(path) for path in MODULES} | {"fastgmm._core"}


def imports(path: Path, *, at_module_level: bool = False) -> set[str]:
    """Full names of the modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = _outside_functions(tree) if at_module_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in KNOWN else node.module for name in inner}
    return found


def _outside_functions(node: ast.AST):
    for child in ast.iter_child_nodes(node):
        is_type_checking = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not isinstance(child, ast.FunctionDef | ast.Lambda) and not is_type_checking:
            yield child
            yield from _outside_functions(child)


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.partition(".")[0] == "fastgmm"}


each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))


@each_module
def test_imports_point_down(path):
    home = part_of(name_of(path))
    for name in ours(path):
        there = part_of(name)
        if there == home or FLOORS[home] == FLOORS[there] == 0:
            continue
        if (home, name) == ("fastgmm.cli", "fastgmm"):
            continue  # for the version that it prints
        assert FLOORS[there] < FLOORS[home], f"{home} (floor {FLOORS[home]}) imports {name} (floor {FLOORS[there]})"


def test_every_module_has_a_floor_and_every_floor_0_file_is_named():
    files = {name_of(path) for path in MODULES if path.parent == SOURCE / "fastgmm"}
    assert files <= set(FLOORS)


@each_module
def test_io_computes_nothing_and_lung_reads_no_scan(path):
    name = name_of(path)
    if name.startswith("fastgmm.io"):
        assert all(FLOORS[part_of(other)] == 0 or part_of(other) == "fastgmm.io" for other in ours(path))
    if name.startswith("fastgmm.lung"):
        assert not SCAN_READERS & {other.partition(".")[0] for other in imports(path)}


@each_module
def test_heavy_packages_are_imported_where_they_are_used(path):
    if name_of(path).startswith("fastgmm.mixture._fast_gmm"):
        return
    top = {name.partition(".")[0] for name in imports(path, at_module_level=True)}
    assert not HEAVY & top, f"{path.name} imports {HEAVY & top} when it is loaded"


@each_module
def test_scikit_learn_is_for_the_estimator_only(path):
    if not name_of(path).startswith("fastgmm.mixture._fast_gmm"):
        assert "sklearn" not in {name.partition(".")[0] for name in imports(path)}


@each_module
def test_only_cli_prints(path):
    if name_of(path).startswith("fastgmm.cli"):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Name) and node.id == "print"), f"{path}:{node.lineno}"
        text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        assert text not in ("sys.stdout", "sys.stderr"), f"{path}:{node.lineno}"


def test_one_word_names_a_family_in_every_layer():
    families = {"histogram", "em", "components", "morphology", "median"}
    reference = {p.stem for p in (SOURCE / "fastgmm/backends/_reference").glob("*.py")} - {"__init__"}
    bindings = {p.stem.removeprefix("bind_") for p in (REPOSITORY / "csrc/bindings").glob("bind_*.cpp")}
    assert reference >= families
    assert bindings >= families


def test_names_say_what_is_inside():
    vague = re.compile(r"(^|_)(utils?|helpers?|common|misc)(_|$)")
    files = [path for folder in ("src", "csrc", "tests") for path in (REPOSITORY / folder).rglob("*")]
    assert [path for path in files if vague.search(path.stem)] == []
