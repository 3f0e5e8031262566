"""The site needs no network: a browser that shows every page asks no other host for anything.

Each page is served with a policy that allows its own host alone, and the browser itself reports
what a page, or a script in it, wanted from elsewhere.
"""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.docs.test_site import ROOT, build

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; report-uri /report"
ALL = "all.html"
LIMIT_S = 60.0
LAST = '<script>onload=()=>setTimeout(()=>fetch("/shown"),1500)</script>'
"""Scripts of a page may load more a little later than the page."""

pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium here (apt install chromium)")


class Server(ThreadingHTTPServer):
    """Serves a directory, and keeps what the browser reports."""

    blocked: list[str]
    asked: set[str]
    shown: threading.Event


class Handler(SimpleHTTPRequestHandler):
    server: Server

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def do_GET(self) -> None:
        if self.path == "/shown":
            self.server.shown.set()
        self.server.asked.add(self.path)
        super().do_GET()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.blocked.append(str(body["csp-report"]["blocked-uri"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(site: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), partial(Handler, directory=str(site))) as server:
        server.blocked, server.asked, server.shown = [], set(), threading.Event()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def shown(site: Path, home: Path) -> tuple[list[str], set[str]]:
    """Show every page of a site in one window; what was wanted from elsewhere, and what from us."""
    pages = [
        str(page.relative_to(site)) for page in site.rglob("*.html") if page.name != "404.html"
    ]
    frames = "".join(f'<iframe src="/{page}"></iframe>' for page in pages)
    (site / ALL).write_text(f"<!doctype html>{frames}{LAST}", encoding="utf-8")
    with serving(site) as server:
        process = subprocess.Popen(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={home}", "--remote-debugging-port=0",
             f"http://127.0.0.1:{server.server_port}/{ALL}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert server.shown.wait(LIMIT_S), "the pages were not shown in time"
            time.sleep(0.2)
        finally:
            process.terminate()
            process.wait(10)
        assert server.asked >= {f"/{page}" for page in pages}
        return server.blocked, server.asked


def test_no_page_loads_anything_from_another_host(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    assert build(tmp_path).returncode == 0
    blocked, asked = shown(tmp_path / "site", tmp_path / "profile")
    assert blocked == []
    assert any(path.endswith("/lifecycle.svg") for path in asked)


def test_a_page_whose_script_loads_from_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    text = "# x\n\n```mermaid\nstateDiagram-v2\n    A --> B: c\n```\n"
    (tmp_path / "docs" / "index.md").write_text(text, encoding="utf-8")
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "x"\n', encoding="utf-8")
    assert build(tmp_path).returncode == 0
    blocked, _ = shown(tmp_path / "site", tmp_path / "profile")
    assert any("mermaid" in uri for uri in blocked)
