"""Where the time goes: whose work is waited for."""

from __future__ import annotations

import threading

import pytest
import torch

from engine.timing import Stages


def test_a_device_is_waited_for_in_the_thread_that_drives_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[int] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waiting.append(threading.get_ident()))
    stages = Stages(torch.device("cuda", 0))

    def beside() -> None:
        with stages.measure("decode", 2):
            pass

    other = threading.Thread(target=beside)
    other.start()
    other.join()
    assert waiting == []
    with stages.measure("encode", 3):
        pass
    assert waiting == [threading.get_ident()]
    assert stages.counts == {"decode": 2, "encode": 3}
