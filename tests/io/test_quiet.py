"""Switches of the process that threads share."""

import warnings

import pytest
import SimpleITK as sitk  # noqa: N813

from fastgmm.io._quiet import without_python_warnings, without_simpleitk_warnings


def test_warnings_come_back_when_the_last_reader_is_done():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        without_python_warnings.__enter__()
        without_python_warnings.__enter__()
        without_python_warnings.__exit__(None, None, None)  # the first in is the first out
        warnings.warn("hidden", stacklevel=1)
        without_python_warnings.__exit__(None, None, None)
        assert warnings.filters == before
        warnings.warn("seen", stacklevel=1)
    assert [str(one.message) for one in caught] == ["seen"]


@pytest.mark.parametrize("shown", [True, False])
def test_simpleitk_s_switch_is_left_as_it_was(shown):
    process = sitk.ProcessObject
    at_first = process.GetGlobalWarningDisplay()
    process.SetGlobalWarningDisplay(shown)
    try:
        with without_simpleitk_warnings:
            without_simpleitk_warnings.__enter__()
            assert not process.GetGlobalWarningDisplay()
            without_simpleitk_warnings.__exit__(None, None, None)
            assert not process.GetGlobalWarningDisplay()
        assert process.GetGlobalWarningDisplay() == shown
    finally:
        process.SetGlobalWarningDisplay(at_first)


def test_an_error_leaves_the_switch_as_it_was():
    before = list(warnings.filters)
    with pytest.raises(OSError, match="bad"), without_python_warnings:
        raise OSError("bad")
    assert warnings.filters == before
