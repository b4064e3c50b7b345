"""`mglmm demo`: a photograph in the browser."""

from __future__ import annotations

import os
import socket
import threading
from importlib.util import find_spec
from tempfile import TemporaryDirectory

import click

from engine.errors import MglmmError, UsageError
from mglmm_cli.codes import Exit
from mglmm_cli.kinds import count
from mglmm_cli.options import DEVICE, PRECISION
from mglmm_cli.text import clean

_PORT = 7860


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("nano",),
    show_default=True,
    metavar="MODEL",
    help="As of mglmm segcap; given several times, each can be chosen in the page.",
)
@PRECISION
@DEVICE
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 lets others in.")
@click.option("--port", type=count(1, 65535), default=_PORT, show_default=True, help="Port to listen at.")
@click.option("--share", is_flag=True, help="Let Gradio make a public address, through its makers' servers.")
def demo(models: tuple[str, ...], precision: str, device: str, host: str, port: int, share: bool) -> Exit | None:
    """Look at a photograph in the browser: drop it, ask, and click a phrase to go into what it names.

    The page is served by this program, at this machine only unless --host says otherwise. Ctrl-C ends it. Photographs
    lie in a temporary folder, an hour at most, and are gone when it ends.
    """
    if not host.strip():
        raise click.UsageError("--host is empty: 127.0.0.1 is this machine only, 0.0.0.0 lets others in")
    if find_spec("gradio") is None:
        raise UsageError("the demo needs Gradio: pip install 'mglmm[demo]'")
    _require_port(host, port)
    from engine.model.sources import find
    from mglmm_cli.releases import located

    for model in models:
        find(located(model))  # what is not there is said now, not when it is chosen

    with TemporaryDirectory(prefix="mglmm-demo-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads  # or they lie where everybody may look, and stay
        return _serve(models, precision, device, host, port, share)


def _serve(models: tuple[str, ...], precision: str, device: str, host: str, port: int, share: bool) -> Exit | None:
    """Serve the page until a signal comes; its exit code."""
    from mglmm_cli.demo.asking import Models
    from mglmm_cli.demo.page import THEME, UPLOAD, build
    from mglmm_cli.stopping import Stopping

    page = build(Models(tuple(dict.fromkeys(models)), precision, device))
    ended = threading.Event()
    with Stopping(ended.set) as stopping:
        try:
            _, local, public = page.launch(
                server_name=host,
                server_port=port,
                share=share,
                prevent_thread_lock=True,
                quiet=True,
                max_file_size=UPLOAD,
                theme=THEME,
                footer_links=[],
                ssr_mode=False,
                enable_monitoring=False,
            )
        except OSError as error:
            raise MglmmError(f"the page can't be served at {host}:{port}: {clean(str(error))}") from error
        click.echo(f"mglmm: the demo is at {public or local} (Ctrl-C ends it)", err=True)
        try:
            ended.wait()
        finally:
            page.close(verbose=False)
        return stopping.code


def _require_port(host: str, port: int) -> None:
    """Refuse an address that can't be had, before seconds are spent on imports.

    Raises:
        UsageError: saying why.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{clean(host)}:{port}: {reason}: choose another with --port or --host") from None
