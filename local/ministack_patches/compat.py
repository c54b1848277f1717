"""Check that the installed ministack has the required private API."""

from collections.abc import Mapping
from types import ModuleType


class IncompatibleMinistackError(SystemExit):
    """The installed ministack lacks some of the private API in use."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(
            f"This version of ministack has no {', '.join(missing)}. "
            "Install the version pinned in requirements-dev.txt."
        )


def require_private_api(private_api: Mapping[ModuleType, str]) -> None:
    """Raise IncompatibleMinistackError if a module lacks one of its space-separated names."""
    missing = [
        f"{module.__name__}.{name}"
        for module, names in private_api.items()
        for name in names.split()
        if not hasattr(module, name)
    ]
    if missing:
        raise IncompatibleMinistackError(missing)
