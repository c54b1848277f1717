"""The policy pack in previews of the real Pulumi CLI."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.stack.config import read_config
from tests.engine.harness import ORDERS, Engine
from tools.project import ROOT

CARELESS: dict[str, Any] = {**ORDERS, "protect": False, "lake": {"versioning": False}}


@pytest.fixture
def pack(tmp_path: Path) -> str:
    """The pack as an executable, which needs no language host of Pulumi."""
    executable = tmp_path / "pack" / "run"
    executable.parent.mkdir()
    executable.write_text(
        f'#!/bin/sh\ncd "{ROOT / "policy"}"\nexec "{sys.executable}" -u -m pulumi.policy "$1" .\n'
    )
    executable.chmod(0o755)
    return str(executable)


def test_the_example_stack_breaks_no_policy(engine: Engine, pack: str) -> None:
    stack = engine.stack()
    stack.configure(read_config(ROOT).values)
    outcome = stack.preview(policy_packs=[pack])
    assert outcome.succeeded, outcome.errors
    assert not outcome.violations


def test_a_production_stack_without_protection_fails_the_preview(engine: Engine, pack: str) -> None:
    stack = engine.stack({"orders": CARELESS}, name="prod")
    outcome = stack.preview(policy_packs=[pack])
    assert not outcome.succeeded
    assert outcome.violations == {
        ("production-buckets-versioned", "orders-lake-versioning"),
        ("production-data-protected", "orders-lake-bucket"),
        ("production-data-protected", "orders-query-workgroup"),
        ("production-data-protected", "orders-source-table"),
    }
    assert not engine.backend.resources


def test_the_config_of_the_pack_names_the_production_stacks(
    engine: Engine, pack: str, tmp_path: Path
) -> None:
    rules = ("production-buckets-versioned", "production-data-protected")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({rule: {"stacks": ["blue"]} for rule in rules}))
    stack = engine.stack({"orders": CARELESS}, name="prod")
    outcome = stack.preview(policy_packs=[pack], policy_pack_configs=[str(config)])
    assert outcome.succeeded, outcome.errors
