"""A transform of several files, with a shared folder and data."""

from pathlib import Path

FILES = {
    "transforms/orders/__init__.py": (
        "from orders.columns import COLUMNS\n"
        "from .rows import transform\n"
        "__all__ = ['COLUMNS', 'transform']\n"
    ),
    "transforms/orders/columns.py": (
        "COLUMNS = {'id': 'string', 'city': 'string', 'cents': 'int'}\n"
    ),
    "transforms/orders/model.py": (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "import orders.columns\n\n\n"
        "@dataclass\n"
        "class Order:\n"
        "    id: str\n"
        "    total: int\n\n"
        "    def row(self):\n"
        "        from shared.money import cents\n"
        "        from shared.cities import CITY\n"
        "        row = {'id': self.id, 'city': CITY, 'cents': cents(self.total)}\n"
        "        return {name: row[name] for name in orders.columns.COLUMNS}\n"
    ),
    "transforms/orders/rows.py": (
        "from .model import Order\n\n\n"
        "def transform(change):\n"
        "    return Order(change.new['id'], change.new.get('total')).row()\n"
    ),
    "transforms/shared/money.py": (
        "from decimal import Decimal\n\n\n"
        "def cents(total):\n"
        "    return Decimal(total) * {'secret': 100}.get(total, 100)\n"
    ),
    "transforms/shared/cities.py": (
        "from pathlib import Path\n\nCITY = Path(__file__).with_name('cities.txt').read_text()\n"
    ),
    "transforms/shared/cities.txt": "Oita",
}
FAILS_AT = "shared/money.py:5"
"""The line that fails without `total`, with a TypeError."""


def write_package(folder: Path, files: dict[str, str] = FILES) -> str:
    """Write the files and return the path of the transform."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder / "transforms" / "orders")
