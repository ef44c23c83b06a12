#!/usr/bin/env python3
"""The power goes while a follower keeps a cursor file: an empty file was left, and the follower never started again."""

import fcntl
import os
import signal
import struct
import subprocess

from harness import Untried, check, main, require, until

SHUTDOWN, WITHOUT_LOG_FLUSH = 0x8004587D, 2  # FS_IOC_GOINGDOWN


def case(chatctl):
    if os.geteuid():
        raise Untried("needs root, to mount an image")
    require("mkfs.ext4", "mount")
    make, options = (["mkfs.xfs", "-q"], "loop")
    if subprocess.run(["which", "mkfs.xfs"], capture_output=True).returncode:
        make, options = (["mkfs.ext4", "-q"], "loop,noauto_da_alloc")
    folder = chatctl.folder / "mounted"
    folder.mkdir()
    with open("image", "wb") as image:
        image.truncate(400 << 20)
    mount = ["mount", "-o", options, "image", "mounted"]
    if subprocess.run([*make, "image"]).returncode or subprocess.run(mount).returncode:
        raise Untried("cannot make and mount a file system")
    chatctl.at_end(subprocess.run, ["umount", "-l", folder])
    chatctl.serve()
    chatctl.send("zero")
    cursor = folder / "cursor"
    chatctl.run("history", "--cursor-file", cursor)
    os.sync()
    with open(folder / "mirror", "a") as mirror:
        follower = chatctl.start("history", "-f", "--cursor-file", cursor, "--json", stdout=mirror)
    for number in range(3):
        before = cursor.read_text()
        chatctl.send(f"line {number}")
        until(lambda before=before: cursor.read_text() != before, "the cursor to be saved")
    root = os.open(folder, os.O_RDONLY)
    fcntl.ioctl(root, SHUTDOWN, struct.pack("I", WITHOUT_LOG_FLUSH))
    os.close(root)
    follower.send_signal(signal.SIGKILL)
    follower.wait()
    until(lambda: subprocess.run(["umount", folder], stderr=subprocess.DEVNULL).returncode == 0, "the unmounting")
    if subprocess.run(mount).returncode:
        raise Untried("cannot mount the file system again")
    size = cursor.stat().st_size
    done = chatctl.run("history", "--cursor-file", cursor, "--json")
    check(done.returncode == 0, f"it does not start again, with a cursor file of {size} bytes: {done.stderr}")


if __name__ == "__main__":
    main(case, namespaces=["--mount"])
