"""Runs in a process of its own: what a process can do once the kernel refuses it Unix sockets.

The filter is the one that systemd builds from RestrictAddressFamilies=AF_INET AF_INET6, as far as AF_UNIX goes.
Arguments: the notification socket, the control socket. Prints what came of each.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

from promptsync.daemon.notify import ServiceManager

_SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def seal() -> None:
    """From now on socket(AF_UNIX, ...) fails, for good."""
    steps = [
        (_LOAD, 0, 0, 0),  # the call's number
        (_EQUAL, 0, 3, _SOCKET),
        (_LOAD, 0, 0, 16),  # its first argument
        (_EQUAL, 0, 1, socket.AF_UNIX),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    program = ctypes.pointer(_Program(len(steps), code))
    for call in ((_NO_NEW_PRIVILEGES, 1, 0), (_SECCOMP, _FILTER, ctypes.cast(program, ctypes.c_void_p).value)):
        if kernel.prctl(*call, *[0] * (5 - len(call))):
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def attempt(name: str, connected: socket.socket, path: str) -> None:
    """Reach the control socket through a socket that is there already."""
    try:
        connected.connect(path)
        print(name, "connected")
    except OSError as error:
        print(name, errno.errorcode[error.errno or 0])


def main() -> None:
    """Notify, then try to reach the control socket."""
    notify, control = sys.argv[1:]
    seal()
    ServiceManager.of({"NOTIFY_SOCKET": notify}, os.getpid()).ready("Sealed")
    try:
        socket.socket(socket.AF_UNIX)
    except OSError as error:
        print("socket", errno.errorcode[error.errno or 0])
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        pair = socket.socketpair(socket.AF_UNIX, kind)
        attempt(kind.name, pair[0], control)


main()
