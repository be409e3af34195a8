"""A real browser, Chromium or Chrome without a window, told over a pipe what to do (Chrome DevTools Protocol)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: As Debian, Ubuntu and Google call it.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")


class Browser:
    """One page. ``said`` is what it has written to its console, errors of its own included."""

    def __init__(self, to: int, answers: int) -> None:
        self._to, self._answers = to, answers
        self._number, self._read = 0, b""
        self._session: dict[str, str] = {}
        self.said: list[str] = []
        target = self._tell("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self._tell(f"{domain}.enable")

    def open(self, url: str) -> None:
        self._tell("Page.navigate", url=url)

    def value(self, script: str) -> Any:
        """What ``script`` comes to, once it is settled."""
        said = self._tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def wait_until(self, script: str, deadline_s: float = 30.0) -> None:
        ends_at = time.monotonic() + deadline_s
        while not self.value(script):
            assert time.monotonic() < ends_at, (script, self.said, self.value("document.body.innerText"))
            time.sleep(0.05)

    def wait_for(self, word: str) -> None:
        """Until the console has it."""
        ends_at = time.monotonic() + 30.0
        while not any(word in line for line in self.said):
            assert time.monotonic() < ends_at, (word, self.said)
            self.value("new Promise((done) => setTimeout(done, 50))")

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self._tell("Input.insertText", text=text)

    def _tell(self, method: str, **params: Any) -> Any:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                self.said.append(json.dumps(message["params"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            part = os.read(self._answers, 65536)
            assert part, "the browser has ended"
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded


@contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """Its profile is in ``folder``."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program is not None, "there is no Chromium: sudo apt-get install chromium"
    its_orders, to = os.pipe()
    answers, its_answers = os.pipe()
    command = [program, *QUIET, f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{its_orders} 4>&{its_answers}', "bash", *command],
        pass_fds=(its_orders, its_answers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_orders)
    os.close(its_answers)
    try:
        yield Browser(to, answers)
    finally:
        os.close(to)  # which is how it is told to end
        os.close(answers)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
