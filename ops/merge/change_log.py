"""Days and bytes of a change log's objects."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Optional

# Below the connections of a client in stack/clients.py.
THREADS = 16

# Time keys of which a window consists; the hours of a day are read together.
DAY_KEYS = ("year", "month", "day", "dt")
MONTHS = 12


@dataclass(frozen=True)
class Folder:
    """A prefix of the change log, and its date."""

    prefix: str
    day: str = ""
    """The beginning of an ISO date: `2026`, `2026-11` or `2026-11-23`."""


class ChangeLog:
    """The objects of one lake table.

    client: boto3's S3 client. prefix: of the lake table's objects. keys: its partition keys, in the
    order of the prefix. Objects below other prefixes are in no query, and in no result.
    """

    def __init__(self, client: Any, bucket: str, prefix: str, keys: Sequence[str]) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self._keys = [key for key in keys if key != "hour"]

    def limits(self) -> Optional[tuple[date, date]]:
        """Return the oldest and the newest day; None for an empty log."""
        found = self._walk(_oldest_and_newest)
        days = [each.day for each in found]
        return (first_day(min(days)), last_day(max(days))) if days else None

    def sizes(self, first: Optional[date] = None) -> dict[date, int]:
        """Return the bytes of the objects by day, from `first` on.

        With months or years as partitions, by the first day of each.
        """

        def recent(folders: list[Folder]) -> list[Folder]:
            text = "" if first is None else first.isoformat()
            return [each for each in folders if each.day >= text[: len(each.day)]]

        sizes: Counter[date] = Counter()
        folders = self._walk(recent)
        for folder, size in zip(folders, _in_threads(self._size, folders), strict=True):
            sizes[first_day(folder.day)] += size
        return dict(sorted(sizes.items()))

    def _walk(self, select: Callable[[list[Folder]], list[Folder]]) -> list[Folder]:
        """Return the folders of days.

        select: returns the folders to descend into, at each time key.
        """
        folders = [Folder(self._prefix)]
        for key in self._keys:
            below = _in_threads(partial(self._below, key=key), folders)
            folders = [each for listed in below for each in listed]
            if key in DAY_KEYS:
                folders = select(folders)
        return folders

    def _below(self, folder: Folder, key: str) -> list[Folder]:
        start = f"{folder.prefix}{key}="
        pages = self._pages(Prefix=start, Delimiter="/")
        prefixes = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        if key not in DAY_KEYS:
            return [Folder(prefix) for prefix in prefixes]
        days = [(prefix, _joined(folder.day, prefix[len(start) : -1])) for prefix in prefixes]
        return [Folder(prefix, day) for prefix, day in days if _is_date(day)]

    def _size(self, folder: Folder) -> int:
        pages = self._pages(Prefix=folder.prefix)
        return sum(each["Size"] for page in pages for each in page.get("Contents", []))

    def _pages(self, **request: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2")
        yield from pages.paginate(Bucket=self._bucket, **request)


def first_day(text: str) -> date:
    """Return the first day of a year, month or day."""
    return date.fromisoformat(text + "-01" * (2 - text.count("-")))


def last_day(text: str) -> date:
    """Return the last day of a year, month or day."""
    first, parts = first_day(text), text.count("-")
    if parts == 0:
        return date(first.year, MONTHS, 31)
    if parts == 1:
        following = date(first.year + first.month // MONTHS, first.month % MONTHS + 1, 1)
        return following - timedelta(days=1)
    return first


def _joined(day: str, value: str) -> str:
    return f"{day}-{value}" if day else value


def _is_date(text: str) -> bool:
    try:
        # Python reads other forms too, such as 20261129.
        return first_day(text).isoformat().startswith(text)
    except ValueError:
        return False


def _oldest_and_newest(folders: list[Folder]) -> list[Folder]:
    days = [each.day for each in folders]
    ends = {min(days), max(days)} if days else set()
    return [each for each in folders if each.day in ends]


def _in_threads(function: Callable[[Folder], Any], folders: Iterable[Folder]) -> list[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [*pool.map(function, folders)]
