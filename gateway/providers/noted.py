"""Sending bytes so that the system itself notes that they went out.

A process that notes what it sends can be killed between the note and the sending, and leaves in doubt what never went
out. Linux' `sendmmsg` writes how many bytes it took into the caller's memory, in the same system call, which no
signal cuts in two. Where that memory is a file's, it outlives the process.
"""

from __future__ import annotations

import ctypes
import socket
from typing import Any

ROOM = 64
"""Bytes of memory that a note takes; it begins at a multiple of eight."""


class _Part(ctypes.Structure):
    _fields_ = (("start", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Head(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("parts", ctypes.POINTER(_Part)),
        ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )  # fmt: skip


class _Message(ctypes.Structure):
    """Linux' `struct mmsghdr`."""

    _fields_ = (("head", _Head), ("sent", ctypes.c_uint))


_sendmmsg: Any = getattr(ctypes.CDLL(None, use_errno=True), "sendmmsg", None)
_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0) | getattr(socket, "MSG_DONTWAIT", 0)


def can_note(sock: object) -> bool:
    """Whether what goes out by a socket can be noted: not where it is enciphered on the way, nor without Linux."""
    return type(sock) is socket.socket and _sendmmsg is not None and ctypes.sizeof(_Message) == ROOM


def send(sock: socket.socket, data: bytes, room: memoryview) -> int:
    """Hands to the system what it takes of the data at once; returns how many bytes, and notes them in the room.

    Raises OSError: BlockingIOError, when it takes none now.
    """
    part = _Part(data, len(data))
    message = _Message.from_buffer(room)
    message.head = _Head(parts=ctypes.pointer(part), count=1)
    if _sendmmsg(sock.fileno(), ctypes.byref(message), 1, _FLAGS) == 1:
        return int(message.sent)
    raise OSError(ctypes.get_errno(), "sendmmsg")


def was_sent(room: bytes) -> int:
    """How many bytes went out, by what stands in the room."""
    return int.from_bytes(room[_Message.sent.offset : _Message.sent.offset + _Message.sent.size], "little")
