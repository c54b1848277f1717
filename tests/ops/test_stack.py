from pathlib import Path

import pytest

from ops import OpsError
from ops.stack import read_config


def test_the_stacks_yaml_reaches_the_program_as_pulumi_spells_it(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    text = "config:\n  aws:region: eu-west-1\n  tables:\n    orders: {format: csv}\n  count: 3\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(text)

    config = read_config(tmp_path)

    assert config.region == "eu-west-1"
    assert config.values == {
        "aws:region": "eu-west-1",
        "project:tables": '{"orders": {"format": "csv"}}',
        "project:count": "3",
    }


def test_a_secret_in_the_stacks_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  project:key:\n    secure: abc\n")

    with pytest.raises(OpsError, match="project:key is a secret"):
        read_config(tmp_path)


def test_a_stack_config_that_is_no_yaml_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {tables: [\n")

    with pytest.raises(OpsError, match=r"^Pulumi\.dev\.yaml is no valid YAML: [^\n]+$"):
        read_config(tmp_path)
