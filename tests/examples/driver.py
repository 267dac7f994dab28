# SPDX-License-Identifier: MIT
"""driver.py - what the scripts of the tutorial's programs share: the program at the ends of two
pipes, and its clients. Everything waits without end; the watchdog of tests/run is what stops it."""

import os
import socket
import subprocess
import sys


class Example:
    """NAME.test BUILD_DIR runs NAME of that build; `with` ends it by the end of its input."""

    def __init__(self, *arguments):
        name = os.path.basename(sys.argv[0]).removesuffix(".test")
        self.process = subprocess.Popen(
            [os.path.join(sys.argv[1], "tests/examples", name), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            self.process.kill()

    def line(self):
        return self.process.stdout.readline().removesuffix("\n")

    def expect(self, *lines):
        for line in lines:
            got = self.line()
            assert got == line, f"{got!r} instead of {line!r}"

    def say(self, line):
        self.process.stdin.write(line + "\n")

    def signal(self, number):
        self.process.send_signal(number)

    def address(self):
        """Of a server that tells in its first line where it listens."""
        word, endpoint = self.line().split()
        assert word == "listening"
        host, _, port = endpoint.rpartition(":")
        return host, int(port)

    def end(self):
        """Ends the input; returns the rest of the output once the program has ended well."""
        self.process.stdin.close()
        rest = self.process.stdout.read().splitlines()
        assert self.process.wait() == 0, f"exit status {self.process.returncode}"
        return rest


class Client:
    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.file = self.socket.makefile("r", newline="\n")

    def say(self, text):
        self.socket.sendall(text.encode())

    def expect(self, *lines):
        for line in lines:
            got = self.file.readline().removesuffix("\n")
            assert got == line, f"{got!r} instead of {line!r}"

    def expect_end(self):
        """The server has closed the connection, in order or not."""
        try:
            rest = self.file.read()
        except ConnectionResetError:
            rest = ""
        assert rest == "", f"{rest!r} instead of the end"
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()
