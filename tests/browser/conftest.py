"""Fixtures: the admin server over a scoreboard that serve_scoreboard fills, and a browser."""

import os
import pathlib
import select
import subprocess

import pytest
from chromium import LIMIT, Chromium

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Board:
    """A running serve_scoreboard."""

    def __init__(self):
        program = os.environ.get("SERVE_SCOREBOARD", ROOT / "build" / "release" / "tests" / "browser" / "serve_scoreboard")
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = int(self._line())
        self.url = f"http://127.0.0.1:{self.port}"

    def _line(self):
        assert select.select([self.process.stdout], [], [], LIMIT)[0], f"waited {LIMIT:.0f} s for serve_scoreboard"
        return self.process.stdout.readline().strip()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        assert self._line() == command

    def end(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        assert self.process.wait(LIMIT) == 0
        self.process.stdout.close()


@pytest.fixture
def board():
    board = Board()
    yield board
    board.end()


@pytest.fixture
def browser(tmp_path):
    browser = Chromium(tmp_path / "profile")
    yield browser
    browser.close()


@pytest.fixture
def page(board, browser):
    """The status page, once it shows something."""
    browser.open(board.url + "/")
    browser.wait("document.documentElement.dataset.shown")
    return browser
