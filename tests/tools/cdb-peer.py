"""A peer on the local door's CDB socket that does not do what it should: cdb-peer.py SOCKET HOW.

It says "ready" and serves clients until it is killed.
"""
import os
import socket
import struct
import sys
import time

path, how = sys.argv[1:]
os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)


def message(data):
    return struct.pack("<I", len(data)) + data


def hello(version=1, limit=1 << 20):
    return b"UDRVCDB\0" + struct.pack("<IIQ", version, limit, 1) + b"peer".ljust(40, b"\0")


def answer(tag, status=0, n_sense=0, n_data=0, data=b"", kind=1):
    return struct.pack("<BBBBIQII8x", kind, status, 0, 0, 0, tag, n_sense, n_data) + data


def receive(client, n):
    data = b""
    while len(data) < n:
        piece = client.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def request(client):
    data = receive(client, struct.unpack("<I", receive(client, 4))[0])
    return struct.unpack_from("<Q", data, 8)[0] if len(data) >= 64 else 0


def reply(client, tag):
    replies = {
        "good": message(answer(tag)),
        "unknown-tag": message(answer(tag + 7)),
        "too-much": message(answer(tag, n_data=600, data=bytes(600))),
        "lying-length": message(answer(tag, n_data=0xFFFFFFFF)),
        "sense-beyond": message(answer(tag, status=2, n_sense=200, data=bytes(20))),
        "short-answer": message(answer(tag)[:10]),
        "huge": struct.pack("<I", 0xFFFFFFFF),
        "empty": message(b""),
        "noise": message(bytes([0xA5]) * 100),
        "long-sense": message(answer(tag, status=2, n_sense=250, data=b"\xff" * 250)),
        "odd-status": message(answer(tag, status=0x55)),
    }
    if how == "half":
        client.sendall(message(answer(tag))[:20])
        return False
    if how == "hang":
        time.sleep(3600)
    if how == "close":
        return False
    client.sendall(replies[how])
    return True


def serve(client):
    if how == "silent":
        time.sleep(3600)
    receive(client, 4 + 64)
    greetings = {
        "bad-hello": message(b"HTTP/1.1 400 Bad Request"),
        "old-version": message(hello(version=99)),
        "no-limit": message(hello(limit=0)),
        "huge-hello": struct.pack("<I", 0x7FFFFFFF),
    }
    client.sendall(greetings.get(how, message(hello())))
    while reply(client, request(client)):
        pass


listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(4)
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    try:
        serve(connection)
    except (EOFError, OSError, KeyError):
        pass
    connection.close()
