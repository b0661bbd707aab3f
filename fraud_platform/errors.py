"""The errors people see: one line that says what, where and what to do.

Programming mistakes do not belong here; they keep Python's own exceptions and their traceback.
"""


class PlatformError(Exception):
    """Something a user or operator can mend; the message is the whole explanation."""


class DataError(PlatformError):
    """Landed data breaks the contract; trying again without mending the data cannot help."""


class MissingDataError(DataError):
    """What is asked for has not been landed or stored yet; nothing is wrong with what is there."""


class ModelError(PlatformError):
    """A model bundle is missing, damaged or not the one that was registered."""


class RegistryError(PlatformError):
    """The model registry refuses what was asked of it."""


class RegistryUnavailableError(RegistryError):
    """The model registry cannot be reached now; trying again later may help."""
