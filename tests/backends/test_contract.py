"""Every backend has every function of the contract, with the contract's signature."""

import inspect

import pytest

from fastgmm.backends import _contract, get_backend

ON_CUDA = True
KERNELS = {
    name: function
    for family in _contract.Backend.__mro__
    if family.__module__ == _contract.__name__
    for name, function in vars(family).items()
    if inspect.isfunction(function) and not name.startswith("_")
}


def parameters(function):
    return [p for p in inspect.signature(function).parameters.values() if p.name != "self"]


def test_the_contract_has_all_five_families():
    one_of_each = {"histogram", "em_histogram", "component_table", "binary_opening", "median_filter"}
    assert one_of_each <= set(KERNELS)


@pytest.mark.parametrize("name", KERNELS)
def test_a_backend_has_the_function_with_the_same_signature(backend, name):
    kernels = get_backend(backend)
    function = getattr(kernels, name)
    assert parameters(function) == parameters(KERNELS[name])
    returns = inspect.signature(function).return_annotation
    assert returns == inspect.signature(KERNELS[name]).return_annotation


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_takes_n_jobs_and_says_what_it_computes(name):
    assert parameters(KERNELS[name])[-1].name == "n_jobs"
    assert inspect.getdoc(KERNELS[name])
