"""The page of the status, as a browser shows it."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from streaming_etl.ops.status.collect import StackStatus
from streaming_etl.ops.status.page import page, sparkline, write_page
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedStack
from tests.ops.status.fakes import NOW, FakeAws
from tests.support.deployed import MAPPING, deployed_pipeline, deployed_shop

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> StackStatus:
    """The status of a healthy pipeline and one with failures."""
    aws = FakeAws(deployed_pipeline(), deployed_shop(alarm_names=[]))
    aws.keys = [("errors/shop/customers/<b>", NOW)]
    aws.put("PolledEventCount", MAPPING, (60, 1234))
    aws.put("DeliveryToS3.Records", "orders-delivery", (120, 30), (60, 45))
    monkeypatch.setattr(DeployedStack, "clients", lambda *_: aws)
    exports = {each.name: each.outputs for each in aws.pipelines}
    return aws.read(DeployedStack("prod & <test>", exports))


class Text(HTMLParser):
    """The visible text of a page, its tags and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.hidden += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.parts.append(" ".join(data.split()))


def check_text(text: Text) -> None:
    """Check that the text has stack, problem, command and numbers."""
    assert text.parts[:2] == ["prod & <test>", "attention"]
    assert {"orders", "ok", "shop.customers", "1,234", "75"} <= {*text.parts}
    command = "streaming-etl replay shop --stack 'prod & <test>' --lake-table customers"
    assert f"{command} --from errors --dry-run" in text.parts


def test_the_page_has_the_status(status: StackStatus) -> None:
    check_text(Text(page(status)))


def test_the_page_loads_nothing_and_runs_nothing(status: StackStatus) -> None:
    html = page(status)
    text = Text(html)
    assert not text.tags & {"script", "link", "img", "iframe", "object", "a", "base", "b"}
    assert not text.attributes & {"src", "href", "onload", "onclick", "style"}
    assert not re.search(r"url\(|@import|https?://", html)


def test_a_watched_page_reloads_itself(status: StackStatus) -> None:
    assert 'http-equiv="refresh" content="60"' in page(status, 60)
    assert "refresh" not in page(status)


def test_a_bar_is_as_high_as_its_hour() -> None:
    heights = re.findall(r'width="3" height="(\d+)"', sparkline([0, 5, 10]))
    assert heights == ["1", "13", "26"]
    assert re.findall(r'width="3" height="(\d+)"', sparkline([0, 0])) == ["1", "1"]


def test_a_file_that_cannot_be_written_is_rejected(status: StackStatus, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        write_page(tmp_path / "missing" / "status.html", status)
    assert raised.value.code == "page-not-writable"


@pytest.fixture
def screen(status: StackStatus, tmp_path: Path) -> str:
    """The document of the page in a browser without a network."""
    if BROWSER is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the PATH")
    write_page(tmp_path / "status.html", status)
    assert [path.name for path in tmp_path.iterdir()] == ["status.html"]
    process = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}"),
            *("--dump-dom", (tmp_path / "status.html").as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return process.stdout


def test_a_browser_shows_the_page(screen: str) -> None:
    check_text(Text(screen))
