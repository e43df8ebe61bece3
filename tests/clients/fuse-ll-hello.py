# One file, by python3-pyfuse3, which runs its own event loop over the low-level API.
import errno
import os
import stat
import sys

import pyfuse3
import trio

FILE = 2
TEXT = b"hello\n"


class Hello(pyfuse3.Operations):
    async def getattr(self, inode, ctx=None):
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = inode
        entry.st_uid, entry.st_gid = os.getuid(), os.getgid()
        entry.st_atime_ns = entry.st_ctime_ns = entry.st_mtime_ns = 0
        if inode == pyfuse3.ROOT_INODE:
            entry.st_mode = stat.S_IFDIR | 0o755
        elif inode == FILE:
            entry.st_mode, entry.st_size = stat.S_IFREG | 0o644, len(TEXT)
        else:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return entry

    async def lookup(self, parent, name, ctx=None):
        if name != b"message":
            raise pyfuse3.FUSEError(errno.ENOENT)
        return await self.getattr(FILE)

    async def opendir(self, inode, ctx):
        return inode

    async def readdir(self, handle, start, token):
        if start == 0:
            pyfuse3.readdir_reply(token, b"message", await self.getattr(FILE), 1)

    async def open(self, inode, flags, ctx):
        return pyfuse3.FileInfo(fh=inode)

    async def read(self, handle, offset, size):
        return TEXT[offset:offset + size]


pyfuse3.init(Hello(), sys.argv[1], set(pyfuse3.default_options) | {"fsname=hello"})
try:
    trio.run(pyfuse3.main)
finally:
    pyfuse3.close(unmount=True)
