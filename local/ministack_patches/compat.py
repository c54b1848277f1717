"""ministack's private parts in use here: one that lacks some is refused before it starts."""

from collections.abc import Iterable, Mapping
from types import ModuleType


def refuse_lacking(borrowed: Mapping[ModuleType, Iterable[str]], user: str) -> None:
    """Raise SystemExit naming what `user`, a file of this project, would not find."""
    lacking = [
        f"{module.__name__}.{name}"
        for module, names in borrowed.items()
        for name in names
        if not hasattr(module, name)
    ]
    if lacking:
        raise SystemExit(
            f"This ministack has no {', '.join(lacking)}, so {user} does not fit it. "
            "Install the version pinned in requirements-dev.txt."
        )
