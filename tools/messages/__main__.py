"""`make golden`: write tests/golden/<kind>.txt for every kind of message."""

import importlib
import pkgutil
from pathlib import Path

import tools.messages

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"


def kinds() -> list[str]:
    """The kinds of messages: the modules of this package."""
    names = (module.name for module in pkgutil.iter_modules(tools.messages.__path__))
    return sorted(name for name in names if not name.startswith("_"))


def rendered(kind: str) -> str:
    """The text of a golden file, in the order of names."""
    messages = importlib.import_module(f"tools.messages.{kind}").messages()
    return "".join(f"[{name}]\n{text}\n\n" for name, text in sorted(messages.items()))


def main() -> None:
    """Write every golden file."""
    for kind in kinds():
        (GOLDEN / f"{kind}.txt").write_text(rendered(kind))


if __name__ == "__main__":
    main()
