"""Problems of settings in a form that tests compare."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from streaming_etl import SettingsError
from streaming_etl.components.settings.validation import Problem


def problems_of(function: Callable[..., object], *args: Any, **settings: Any) -> list[Problem]:
    """The problems of the SettingsError that the call raises."""
    with pytest.raises(SettingsError) as error:
        function(*args, **settings)
    return error.value.problems


def places(problems: Iterable[Problem]) -> list[tuple[str, str, str]]:
    """Path, field with entry, such as `tags[team]`, and rule of each problem."""
    return [
        (
            problem.path,
            problem.field if problem.item is None else f"{problem.field}[{problem.item}]",
            problem.rule,
        )
        for problem in problems
    ]
