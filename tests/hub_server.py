"""A small server that speaks to the client of the Hugging Face Hub as the hub does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.hub_cache import COMMIT

_MESSAGES = {"DisabledRepo": "Access to this resource is disabled."}
"""By which the client tells what has no code of its own."""


@dataclass
class Hub:
    """Repositories, and what was asked of them.

    Attributes:
        folders: files of each repository.
        refused: HTTP status and the hub's code of repositories that can't be had (`GatedRepo`, `RepoNotFound`).
        closed: repositories that are listed, but whose files are refused, as gated ones are.
        cut: files that are sent half, once.
        fetched: file and the `Range` it was asked with, in order.
        url: of the server.
    """

    folders: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    fetched: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(patch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Run one, to which the client in this process speaks."""
    hub = Hub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    patch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Hub

    def do_GET(self) -> None:
        self._answer(send=True)

    def do_HEAD(self) -> None:
        self._answer(send=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, *, send: bool) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        if api:
            parts = parts[2:]
        repository, rest = "/".join(parts[:2]), parts[2:]
        if repository in self.state.refused or repository not in self.state.folders:
            status, code = self.state.refused.get(repository, (404, "RepoNotFound"))
            self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": _MESSAGES.get(code, "no")})
            return
        folder = self.state.folders[repository]
        if api and rest[:1] == ["tree"]:
            self._json([_entry(path) for path in sorted(folder.iterdir())])
        elif api:
            self._json({"id": repository, "sha": COMMIT, "siblings": []})
        elif repository in self.state.closed:
            self._send(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "no"})
        else:
            self._file(folder / rest[-1], send=send)

    def _json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _file(self, path: Path, *, send: bool) -> None:
        if not path.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        entry, content, asked = _entry(path), path.read_bytes(), self.headers.get("Range")
        etag = hashlib.sha256(content).hexdigest() if "lfs" in entry else entry["oid"]
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if not send:
            self._send(200, b"", headers | {"Content-Length": str(len(content))})
            return
        self.state.fetched.append((path.name, asked))
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        body = content[start:]
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if path.name in self.state.cut:
            self.state.cut.discard(path.name)
            self._send(206 if start else 200, body[: len(body) // 2], headers | {"Content-Length": str(len(body))})
            self.close_connection = True
            return
        self._send(206 if start else 200, body, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # the client may have had enough
            self.wfile.write(body)


def _entry(path: Path) -> dict[str, object]:
    """A file as the hub lists it."""
    content = path.read_bytes()
    entry: dict[str, object] = {
        "type": "file",
        "path": path.name,
        "size": len(content),
        "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
    }
    if path.suffix in (".safetensors", ".bin", ".h5"):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return entry
