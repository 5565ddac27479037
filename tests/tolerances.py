"""How far floating-point results may lie from each other: the one table. Masks, labels and counts compare equal."""

# (relative, absolute). A looser row needs a sentence that says why.
TOLERANCES = {
    # Sums of the same terms in another order, exp and log of other libraries: a few thousand roundings of 2^-53.
    "reference": (1e-12, 1e-12),
    # The same iterations on counts instead of rows: scikit-learn adds a term per row, millions of roundings per sum.
    "sklearn": (1e-9, 1e-9),
    # A start whose components hold one row each: scikit-learn's E[x^2] - mean^2 leaves x^2 * 10 eps beside reg_covar.
    "sklearn_single_rows": (1e-6, 1e-8),
}
