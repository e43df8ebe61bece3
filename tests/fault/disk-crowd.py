#!/usr/bin/env python3
"""Thousands of connections to the doors of one disk, for tests.

usage: disk-crowd.py PID PORT IQN LIMIT SOCKET N
Sessions up to the limit stay, N attempts more are refused and told so; N connections come and go, some
without a word, some in the middle of one; N connect to the local socket. At the end the process PID has
the descriptors and threads that it had, its memory has not grown by much, and a session works.
"""
import os
import socket
import struct
import sys
import time

pid, port, iqn, limit, path, n = (int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]),
                                  sys.argv[5], int(sys.argv[6]))
SLACK_KIB = 16384


def status_kib(name):
    with open("/proc/%d/status" % pid) as f:
        return [int(line.split()[1]) for line in f if line.startswith(name + ":")][0]


def usage():
    return len(os.listdir("/proc/%d/fd" % pid)), len(os.listdir("/proc/%d/task" % pid)), status_kib("VmRSS")


def exactly(s, size):
    data = b""
    while len(data) < size:
        part = s.recv(size - len(data))
        if not part:
            raise EOFError("closed")
        data += part
    return data


def connect():
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def login_request(number):
    """RFC 7143 11.12: operational stage to full-feature phase; the number makes the ISID."""
    keys = ["InitiatorName=iqn.2026-01.org.example:crowd", "TargetName=" + iqn, "SessionType=Normal",
            "HeaderDigest=None", "DataDigest=None"]
    text = b"".join(k.encode() + b"\0" for k in keys)
    bhs = bytearray(48)
    bhs[0] = 0x43
    bhs[1] = 0x87  # T, CSG 1, NSG 3
    bhs[5:8] = len(text).to_bytes(3, "big")
    bhs[8] = 0x80  # ISID by random number
    bhs[9:12] = (number >> 16).to_bytes(3, "big")
    bhs[12:14] = (number & 0xFFFF).to_bytes(2, "big")
    struct.pack_into(">I", bhs, 24, 1)
    return bytes(bhs) + text + b"\0" * (-len(text) % 4)


def answer(s):
    bhs = exactly(s, 48)
    size = int.from_bytes(bhs[5:8], "big")
    exactly(s, size + -size % 4)
    return bhs


def login(number):
    """The socket and the status of RFC 7143 11.13.5."""
    s = connect()
    s.sendall(login_request(number))
    bhs = answer(s)
    return s, bhs[36] << 8 | bhs[37]


def ping(s, sn):
    """A NOP-Out that wants its answer."""
    bhs = bytearray(48)
    bhs[0] = 0x40
    bhs[1] = 0x80
    struct.pack_into(">II", bhs, 16, sn, 0xFFFFFFFF)
    struct.pack_into(">I", bhs, 24, 1)
    s.sendall(bytes(bhs))
    bhs = answer(s)
    if bhs[0] & 0x3F != 0x20 or struct.unpack_from(">I", bhs, 16)[0] != sn:
        sys.exit("a ping was answered by opcode %#x" % bhs[0])


def until(what, condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    sys.exit("%s; it has %s descriptors, threads, KiB" % (what, usage()))


def sessions_beyond_the_limit():
    stay = []

    def one_more():
        """Those that went before may still count."""
        s, status = login(len(stay) + 1)
        if status == 0:
            stay.append(s)
        return len(stay) == limit

    until("the sessions that are allowed do not come", one_more)
    for i in range(n):
        s, status = login(1000 + i)
        if status != 0x0302:  # out of resources
            sys.exit("attempt %d beyond the limit has status %#06x" % (i, status))
        if s.recv(1) != b"":
            sys.exit("attempt %d was refused and stays connected" % i)
        s.close()
        if i % 97 == 0:
            ping(stay[i % limit], 7 + i)
    for s in stay:
        ping(s, 5)
        s.close()


def connections_that_come_and_go():
    request = login_request(1)
    for i in range(n):
        s = connect()
        try:
            s.sendall(request[:i % (len(request) + 1)])
        except OSError:
            pass  # refused already: too many that have not logged in
        s.close()


def local_connections():
    """One is served, others wait in the queue; who does not find room there is told so at once."""
    waiting = []
    for i in range(n):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.setblocking(False)
        try:
            s.connect(path)
            waiting.append(s)
        except BlockingIOError:
            s.close()
        if i % 64 == 63:
            for s in waiting:
                s.close()
            waiting = []
    for s in waiting:
        s.close()


def local_disk_works():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(30)
    try:
        s.connect(path)
    except BlockingIOError:
        return False  # those that have gone still fill the queue
    (size,) = struct.unpack("<I", exactly(s, 4))
    exactly(s, size)
    s.close()
    return True


before = usage()
rounds = (sessions_beyond_the_limit, connections_that_come_and_go, local_connections)
for work in rounds:
    work()
    until("%s: the disk does not get back to %s" % (work.__name__, before),
          lambda: usage()[0] <= before[0])
    print("%s: %d, then %s descriptors, threads, KiB" % ((work.__name__, n) + (usage(),)))
s, status = login(1)
if status != 0:
    sys.exit("after all that a login has status %#06x" % status)
ping(s, 3)
s.close()
until("the local door is taken", local_disk_works)
until("threads: there were %d" % before[1], lambda: usage()[1] <= before[1])
# Sanitizers reserve terabytes, and keep freed memory.
if status_kib("VmSize") > 1 << 30:
    print("not done: memory is not compared under a sanitizer")
elif usage()[2] > before[2] + SLACK_KIB:
    sys.exit("memory grew from %d to %d KiB" % (before[2], usage()[2]))
