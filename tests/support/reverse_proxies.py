"""nginx and haproxy, as processes of a test. Where they are not installed, their Debian packages are unpacked.

As a program it only does that: scripts/test calls it before the tests.
"""

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.support.servers import free_port
from tests.support.waiting import TIMEOUT_SECONDS, until

FOLDER = Path(sys.prefix) / "reverse-proxies"
PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy"}
SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"  # not in the PATH of every user
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
worker_processes 1;
events {{}}
http {{
    access_log off;
    {paths}
    {server}
}}
"""
NGINX_PATHS = [f"{name}_temp_path" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]


@functools.cache
def program(name):
    """Return the path of a program, and the environment for it."""
    if found := shutil.which(name, path=f"{os.environ['PATH']}:{SYSTEM_PROGRAMS}"):
        return found, dict(os.environ)
    if not FOLDER.exists():
        assert shutil.which("apt-get"), "the tests need nginx and haproxy: install them"
        _unpack_packages()
    libraries = os.pathsep.join(str(path) for path in FOLDER.glob("usr/lib/*-linux-gnu*"))
    return FOLDER / "usr/sbin" / name, {**os.environ, "LD_LIBRARY_PATH": libraries}


def _unpack_packages():
    """Unpack them in the environment of the tests. Installing them needs root, and would start their services."""
    with tempfile.TemporaryDirectory(dir=sys.prefix) as directory:
        new = Path(directory, "new")
        for path in ("lists/partial", "archives/partial", "new"):
            Path(directory, path).mkdir(parents=True)
        options = {
            "Dir::State::lists": f"{directory}/lists",
            "Dir::Cache::archives": f"{directory}/archives",
            "APT::Sandbox::User": "root",  # another user could not write here
            "Debug::NoLocking": "1",  # no package is installed
        }
        apt_get = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
        download = ["install", "--yes", "--download-only", "--no-install-recommends", *PACKAGES.values()]
        for command in (["update"], download):
            subprocess.run([*apt_get, *command], check=True, stdout=subprocess.DEVNULL)
        for archive in Path(directory, "archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", archive, new], check=True)
        with suppress(OSError):  # another worker was faster
            new.rename(FOLDER)


def _command(name, configuration, folder):
    """Write the file of a configuration, and return the command that runs it in the foreground."""
    path = folder / f"{name}.conf"
    if name == "nginx":
        paths = "".join(f"{each} {folder}/{each};" for each in NGINX_PATHS)
        configuration = NGINX.format(folder=folder, paths=paths, server=configuration)
    path.write_text(f"{configuration}\n")
    options = ["-p", folder, "-e", "stderr", "-c", path] if name == "nginx" else ["-db", "-f", path]
    return [program(name)[0], *options]


def _accepts(address):
    host, port = address.split(":")
    with suppress(ConnectionRefusedError), socket.create_connection((host, int(port))):
        return True
    return False


class ReverseProxy:
    """nginx or haproxy in the foreground; a context manager. It may be stopped and started again on the same address."""

    def __init__(self, name, configuration, replaced, folder):
        """Write the configuration with some texts replaced: `replaced` has pairs of a pattern and a text.

        {address} in a text is the address where the proxy listens.
        """
        self.address = f"127.0.0.1:{free_port()}"
        self.log = folder / f"{name}.log"
        for pattern, text in replaced:
            configuration, count = re.subn(pattern, text.format(address=self.address), configuration)
            assert count, f"the configuration has no {pattern}"
        self._command = _command(name, configuration, folder)
        self._environment = program(name)[1]

    def start(self):
        """Start it, and wait until it accepts connections."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
        until(lambda: _accepts(self.address) or self._process.poll() is not None)
        assert self._process.poll() is None, self.log.read_text()

    def stop(self):
        """Stop it at once: open connections break."""
        self._process.terminate()
        self._process.wait(TIMEOUT_SECONDS)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


if __name__ == "__main__":
    try:
        for each in PACKAGES:
            program(each)
    except (AssertionError, OSError, subprocess.CalledProcessError):
        sys.exit("the tests need nginx and haproxy: install them, then run this again")
