"""Boxes and arrows as Mermaid's text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

SOLID, DOTTED, BOTH = "-->", "-.->", "<-->"


class Arrow(NamedTuple):
    start: str
    end: str
    style: str = SOLID
    label: str = ""


@dataclass
class Drawing:
    """Boxes in groups, and at most one arrow from one box to another."""

    boxes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of every box by its name: its group, and its label."""
    arrows: dict[tuple[str, str], Arrow] = field(default_factory=dict)

    def box(self, name: str, group: str, *lines: str) -> None:
        self.boxes.setdefault(name, (group, "<br/>".join(lines)))

    def arrow(self, arrow: Arrow) -> None:
        self.arrows.setdefault((arrow.start, arrow.end), arrow)

    def mermaid(self, groups: Sequence[str]) -> str:
        """The text: `groups` before others, boxes as they were added, arrows by their boxes."""
        lines, order = ["flowchart TB"], list[str]()
        for group in dict.fromkeys([*groups, *(group for group, _ in self.boxes.values())]):
            names = [name for name, (its, _) in self.boxes.items() if its == group]
            order += names
            if names:
                inside = [f'    {identifier(name)}["{self.boxes[name][1]}"]' for name in names]
                lines += [f"  subgraph {group}", *inside, "  end"]
        by_place = sorted(self.arrows, key=lambda ends: tuple(map(order.index, ends)))
        for start, end, style, label in map(self.arrows.__getitem__, by_place):
            text = f'|"{label}"|' if label else ""
            lines.append(f"  {identifier(start)} {style}{text} {identifier(end)}")
        return "\n".join(lines)


def identifier(name: str) -> str:
    # With something in front: `end` is a word of Mermaid's own.
    return "n_" + re.sub(r"\W", "_", name)
