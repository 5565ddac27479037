"""How far floating-point results may lie from each other: the one table. Masks, labels and counts compare equal."""

# (relative, absolute). A looser row needs a sentence that says why.
TOLERANCES = {
    # Sums of the same terms in another order, exp and log of other libraries: a few thousand roundings of 2^-53. Where
    # the terms may cancel, the absolute part is for each term: it is multiplied by their number.
    "reference": (1e-12, 1e-12),
    # The same iterations on counts instead of rows: scikit-learn adds a term per row, millions of roundings per sum.
    "sklearn": (1e-9, 1e-9),
    # A start whose components hold one row each: scikit-learn's E[x^2] - mean^2 leaves x^2 * 10 eps beside reg_covar.
    "sklearn_single_rows": (1e-6, 1e-8),
    # Log densities of rows of up to 200 features, sums of squares whose order the kernels choose and whose roundings
    # exp carries into the responsibilities.
    "assignment": (1e-11, 1e-11),
    # A fit on the device and on the processor: the sums of a step differ by "reference", which slow steps add up.
    "cuda_fit": (1e-9, 1e-9),
    # The same in float32: attributes are rounded to 2^-24 of themselves, precisions by three such roundings.
    "cuda_fit_float32": (1e-5, 1e-6),
    # Responsibilities and densities of float32 rows, which each side rounds to float32 once: 4 units of 2^-23.
    "assignment_float32": (4 * 2**-23, 4 * 2**-23),
}
