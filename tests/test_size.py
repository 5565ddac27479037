"""The limits of size: lines of code per file and per function, and nesting."""

from pathlib import Path

import pytest
from code_size import Function, c_functions, code_lines_c, code_lines_python, python_functions

REPOSITORY = Path(__file__).parent.parent
SUFFIXES = {".py", ".h", ".cpp", ".inl", ".cu"}
FILES = sorted(
    p for folder in ("src", "csrc", "tests") for p in (REPOSITORY / folder).rglob("*") if p.suffix in SUFFIXES
)
LIMITS = {"estimator": 350, "python": 300, ".h": 250, ".cpp": 250, ".inl": 250, ".cu": 200, "test": 250}
MAX_FUNCTION_LINES = 40
MAX_NESTING = 3


def limit_of(path: Path) -> int:
    if "tests" in path.relative_to(REPOSITORY).parts:
        return LIMITS["test"]
    if path.suffix == ".py":
        return LIMITS["estimator" if "_fast_gmm" in path.parts else "python"]
    return LIMITS[path.suffix]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    is_python = path.suffix == ".py"
    n_lines = code_lines_python(text) if is_python else code_lines_c(text)
    assert n_lines <= limit_of(path)
    for function in python_functions(text) if is_python else c_functions(text):
        assert function.n_lines <= MAX_FUNCTION_LINES, f"{function}"
        assert function.nesting <= MAX_NESTING, f"{function}"


PYTHON_SAMPLE = '''
def f(x):
    """One.

    Two.
    """
    # no
    if x:
        for _ in x:
            g(
                x
            )
    elif y:
        pass
'''
NATIVE_SAMPLE = """
/* a */
namespace fg {
struct S {
  int f() const { return 1; }
};

// b
int g(int n) {
  const int a[] = {1, 2};
  for (;;) {
    if (n) {
      h([&] { n++; });
    } else {
      n--;
    }
  }
}
}
"""


def test_the_measure_of_size_measures():
    assert python_functions(PYTHON_SAMPLE) == [Function("f", 8, 2)]
    assert code_lines_python(PYTHON_SAMPLE) == 8
    assert c_functions(NATIVE_SAMPLE) == [Function("f", 1, 0), Function("g", 10, 2)]
    assert code_lines_c(NATIVE_SAMPLE) == 15
