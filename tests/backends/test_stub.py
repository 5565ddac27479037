"""`_core.pyi` equals the compiled module: the same names, the same argument names in the same order."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import fastgmm
from fastgmm import _core

STUB = ast.parse((Path(fastgmm.__file__).parent / "_core.pyi").read_text(encoding="utf-8"))


def in_stub(node, prefix=""):
    """Functions of the stub by name, those of a class as Class.function."""
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from in_stub(child, f"{child.name}.")
        elif isinstance(child, ast.FunctionDef):
            yield prefix + child.name, child.args


def in_module(holder, prefix=""):
    """Likewise for the module; of the special functions only __init__, which pybind11 adds if there is none."""
    for name, member in vars(holder).items():
        if inspect.isclass(member):
            yield from in_module(member, f"{name}.")
        elif name == "__init__" or not name.startswith("_"):
            yield prefix + name, member


STUB_FUNCTIONS = dict(in_stub(STUB))
MODULE_FUNCTIONS = dict(in_module(_core))


def stub_arguments(arguments: ast.arguments) -> list[str]:
    """Argument names, with * before those that must be named."""
    positional = [a.arg for a in arguments.posonlyargs + arguments.args]
    return positional + ["*"] * bool(arguments.kwonlyargs) + [a.arg for a in arguments.kwonlyargs]


def module_arguments(name: str) -> list[list[str]]:
    """The same for each overload, from the signatures that pybind11 writes in docstrings."""
    if isinstance(MODULE_FUNCTIONS[name], property):
        return [["self"]]
    short = name.rpartition(".")[2]
    signatures = re.findall(rf"^(?:\d+\. )?{short}\((.*)\) -> ", MODULE_FUNCTIONS[name].__doc__, re.MULTILINE)
    return [names_in(signature) for signature in signatures]


def names_in(signature: str) -> list[str]:
    while (flat := re.sub(r"\[[^\[\]]*\]", "", signature)) != signature:
        signature = flat
    return [part.partition(":")[0].strip() for part in signature.split(",") if part.strip() not in ("", "/")]


def test_the_stub_has_the_names_of_the_module():
    assert set(STUB_FUNCTIONS) == set(MODULE_FUNCTIONS)


@pytest.mark.parametrize("name", sorted(MODULE_FUNCTIONS))
def test_the_stub_has_the_arguments_of_the_module(name):
    overloads = module_arguments(name)
    assert overloads
    for arguments in overloads:
        assert stub_arguments(STUB_FUNCTIONS[name]) == arguments
        assert not any(re.fullmatch(r"arg\d+", argument) for argument in arguments)
