# SPDX-License-Identifier: MIT
"""tls_peers.py - what the scripts of the TLS programs share: certificates made on the spot, and the
programs of OpenSSL and GnuTLS. Everything waits without end; the watchdog of tests/run stops it."""

import os
import shutil
import subprocess
import sys


def need(*programs):
    """Skips the test where one is not there."""
    for program in programs:
        if not shutil.which(program):
            print(f"{program} is not installed")
            sys.exit(77)


def certificate(folder, name):
    """A key and a certificate that signed itself, for localhost: two paths."""
    paths = [os.path.join(folder, f"{name}.{what}.pem") for what in ("certificate", "key")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "1", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-out", paths[0], "-keyout", paths[1]], check=True, stderr=subprocess.DEVNULL)
    return paths


class Talk:
    """A program that somebody talks with; what it says comes with what it complains about."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.said = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.process.kill()
        self.process.wait()

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def until(self, part):
        """Reads up to the line that has this in it, and returns that."""
        for line in self.process.stdout:
            self.said.append(line)
            if part in line:
                return line
        raise AssertionError(f"no {part!r} in {''.join(self.said)}")

    def end(self):
        """Ends its input; returns all that it said."""
        self.process.stdin.close()
        self.said.extend(self.process.stdout)
        self.process.wait()
        return "".join(self.said)


def listening_port(pid):
    """Where a process listens, of which the kernel has chosen the port."""
    sockets = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        sockets.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                return int(fields[1].split(":")[1], 16)
    raise AssertionError("it does not listen")
