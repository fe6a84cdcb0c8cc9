"""Where the links of a chained Ogg file lie.

Links are whole streams written one after another: a radio's recording, files joined by `cat`. libav carries
on over a link's border only where rate and channels stay the same, so each is opened on its own. Page layout
after RFC 3533; positions are bytes.
"""

import os
from typing import BinaryIO, NamedTuple

MAX_LINKS = 1000
_MAGIC = b"OggS"
_HEADER_BYTES = 27
_BEGINS_STREAM = 0x02


class Link(NamedTuple):
    """Half-open range of bytes."""

    start: int
    end: int


def find_links(file: BinaryIO) -> list[Link]:
    """One link for a plain file, of any format; the position of `file` is left anywhere.

    Pages are walked by their headers. Where the walk breaks off, at damage or at too many links, the rest
    belongs to the last link.
    """
    size = file.seek(0, os.SEEK_END)
    starts = [0]
    position, is_in_heads = 0, True
    while len(starts) < MAX_LINKS:
        file.seek(position)
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            break
        begins = bool(header[5] & _BEGINS_STREAM)
        # The streams that are played together all begin on the first pages of their link.
        if begins and not is_in_heads:
            starts.append(position)
        is_in_heads = begins
        n_segments = header[26]
        position += _HEADER_BYTES + n_segments + sum(file.read(n_segments))
    return [Link(start, end) for start, end in zip(starts, [*starts[1:], size], strict=True)]


class FilePart:
    """A range of a file as a file of its own, without a name for anybody to guess from."""

    def __init__(self, file: BinaryIO, link: Link) -> None:
        self._file = file
        self._link = link
        self._position = 0

    def read(self, n_bytes: int) -> bytes:
        left = self._link.end - self._link.start - self._position
        if left <= 0:
            return b""  # also after a seek to where a damaged header points, farther than a file can be
        self._file.seek(self._link.start + self._position)
        got = self._file.read(min(n_bytes, left))
        self._position += len(got)
        return got

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        size = self._link.end - self._link.start
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position
