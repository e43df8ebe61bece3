#!/usr/bin/env python3
"""A client of the local door's block protocol (transport/local/protocol.h), for tests.

usage: disk.py NAME COMMAND [ARGUMENT...] [+ COMMAND...]
    params                   GUID, blocks, block length, flags
    fill LBA N BYTE [fua]    writes N blocks of that byte
    check LBA N BYTE         reads N blocks; they must be that byte
    signature                the first block ends as a partition table does
    flush | unmap LBA N
    wait FILE                says so in FILE.ready, keeps the connection until FILE is there
Prints one line for each; a sense as "sense 3/11/00 info 8". Exit code 1: not good.
"""
import os
import socket
import struct
import sys
import time
import uuid

READ, WRITE, FLUSH, UNMAP = 1, 2, 3, 4


def path_of(name):
    base = os.environ["USERDRIVE_RUNTIME_DIR"]
    return "%s/pipe/%s/0" % (base, name)


class Disk:
    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path_of(name))
        self.hint = 0
        p = self.receive()
        self.guid = uuid.UUID(bytes_le=p[:16])
        self.blocks, self.length = struct.unpack_from("<QI", p, 16)
        self.flags, self.transfer = struct.unpack_from("<II", p, 52)

    def receive(self):
        (n,) = struct.unpack("<I", self.exactly(4))
        return self.exactly(n)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise EOFError("the disk closed the connection")
            data += part
        return data

    def request(self, kind, lba, count, fua=False, data=b""):
        self.hint += 1
        head = struct.pack("<QQQII", self.hint, kind, lba, count, int(fua)).ljust(48, b"\0")
        message = head + data
        self.socket.sendall(struct.pack("<I", len(message)) + message)
        answer = self.receive()
        if struct.unpack_from("<Q", answer)[0] != self.hint:
            raise ValueError("an answer to something else")
        status, key, asc, ascq = answer[16:20]
        (info,) = struct.unpack_from("<Q", answer, 24)
        (flags,) = struct.unpack_from("<I", answer, 44)
        if status == 0:
            return None, answer[48:]
        text = "sense %x/%02x/%02x" % (key, asc, ascq)
        if flags & 0x100:
            text += " info %d" % info
        return text, b""

    def pieces(self, lba, n):
        most = self.transfer // self.length
        while n:
            yield lba, min(n, most)
            lba, n = lba + min(n, most), n - min(n, most)

    def fill(self, lba, n, byte, fua=None):
        for at, count in self.pieces(int(lba), int(n)):
            data = bytes([int(byte)]) * (count * self.length)
            text, _ = self.request(WRITE, at, count, fua == "fua", data)
            if text:
                return text

    def check(self, lba, n, byte):
        for at, count in self.pieces(int(lba), int(n)):
            text, data = self.request(READ, at, count)
            if text:
                return text
            if data != bytes([int(byte)]) * (count * self.length):
                return "other data from block %d on" % at

    def signature(self):
        text, data = self.request(READ, 0, 1)
        return text or (None if data[510:512] == b"\x55\xaa" else "no signature")

    def flush(self):
        return self.request(FLUSH, 0, 0)[0]

    def unmap(self, lba, n):
        range_ = struct.pack("<QII", int(lba), int(n), 0)
        return self.request(UNMAP, 1, 0, data=range_)[0]

    def wait(self, file):
        open(file + ".ready", "w").close()
        for _ in range(1200):
            if os.path.exists(file):
                return None
            time.sleep(0.05)
        return "nobody came"

    def params(self):
        print("guid=%s blocks=%d length=%d flags=%d" % (self.guid, self.blocks, self.length, self.flags))


def main():
    disk = Disk(sys.argv[1])
    command = []
    for word in sys.argv[2:] + ["+"]:
        if word != "+":
            command.append(word)
            continue
        text = getattr(disk, command[0])(*command[1:])
        if text:
            print("%s: %s" % (" ".join(command), text))
            sys.exit(1)
        if command[0] != "params":
            print("%s: good" % " ".join(command))
        sys.stdout.flush()
        command = []


main()
