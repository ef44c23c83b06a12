"""Feeds and reads the streams of a process."""

import os
import selectors

from tests.fuzz.contents import PIECE_BYTES
from tests.fuzz.descriptors import KEPT_BYTES


class Feeding:
    """Feeds and reads the streams of a process until it has ended."""

    def __init__(self, streams, pid):
        self._streams = streams
        self._selector = selectors.DefaultSelector()
        self._process = os.pidfd_open(pid)
        self.has_ended = False
        self.bytes_read = 0
        self._selector.register(self._process, selectors.EVENT_READ)
        self._watched = {}
        for descriptor in {*streams.inputs, *streams.endless, *streams.outputs}:
            self._watch(descriptor)

    def close(self):
        self._selector.close()
        os.close(self._process)

    def _watch(self, descriptor):
        """Watch what there is to do with a descriptor, and close one with which nothing is left to do."""
        streams = self._streams
        writes = streams.inputs.get(descriptor) or descriptor in streams.endless
        events = selectors.EVENT_WRITE * bool(writes) | selectors.EVENT_READ * (descriptor in streams.outputs)
        if events == self._watched.get(descriptor, 0) and events:
            return
        if self._watched.pop(descriptor, 0):
            self._selector.unregister(descriptor)
        if events:
            self._watched[descriptor] = events
            self._selector.register(descriptor, events)
        elif descriptor not in streams.left_open:
            streams.forget(descriptor)

    def forget(self, descriptor):
        """Close a descriptor, if it is still open."""
        if self._watched.pop(descriptor, 0):
            self._selector.unregister(descriptor)
            self._streams.forget(descriptor)

    def handle(self, seconds):
        """Wait for the first event, and handle it."""
        for key, events in self._selector.select(seconds):
            if key.fd == self._process:
                self.has_ended = True
                continue
            if events & selectors.EVENT_READ:
                self._read(key.fd)
            if events & selectors.EVENT_WRITE and key.fd in self._watched:
                self._write(key.fd)

    def read_rest(self):
        """Read what the process has written before its end."""
        for descriptor in list(self._streams.outputs):
            while descriptor in self._streams.outputs and self._read(descriptor):
                pass

    def _read(self, descriptor):
        """Read once. Returns whether there was anything."""
        try:
            data = os.read(descriptor, PIECE_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # of a terminal or socket whose other side is closed
            data = b""
        kept = self._streams.read[self._streams.outputs[descriptor]]
        kept += data[: KEPT_BYTES - len(kept)]
        self.bytes_read += len(data)
        if not data:
            self.forget(descriptor)
        return bool(data)

    def _write(self, descriptor):
        streams = self._streams
        data = streams.endless.get(descriptor) or streams.inputs[descriptor]
        try:
            written = os.write(descriptor, data[:PIECE_BYTES])
        except BlockingIOError:
            return
        except OSError:  # its reader has closed it
            self.forget(descriptor)
            return
        if descriptor in streams.inputs:
            streams.inputs[descriptor] = data[written:]
            self._watch(descriptor)
