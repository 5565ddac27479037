"""The errors that fastgmm raises beside Python's own."""


class FastGMMError(Exception):
    """Base of every error defined here."""


class BackendUnavailableError(FastGMMError, RuntimeError):
    """A backend was named that cannot run here; the text says why and how to get it."""


class ScanError(FastGMMError, OSError):
    """A file or folder could not be read or written as a scan; the text starts with its path."""


class LungNotFoundError(FastGMMError, ValueError):
    """No part of the volume passed the rules for being lung."""


class TissueModelError(FastGMMError, ValueError):
    """A mixture cannot be given the names of the five tissue classes."""
