"""The judge: every kernel in plain Python and NumPy, written from its definition and from nothing else."""
