"""An iSCSI target that does not do what it should: iscsi-peer.py HOW.

It prints its port and serves clients until it is killed.
"""
import socket
import struct
import sys
import time

how = sys.argv[1]


def receive(client, n):
    data = b""
    while len(data) < n:
        piece = client.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def request(client):
    header = receive(client, 48)
    size = struct.unpack(">I", b"\0" + header[5:8])[0]
    receive(client, (size + 3) // 4 * 4)
    return header


def serve(client):
    if how == "silent":
        time.sleep(3600)
    header = request(client)
    if how == "close":
        return
    if how == "noise":
        client.sendall(bytes([0xA5]) * 4096)
        time.sleep(3600)
    if how == "half":
        client.sendall(b"\x23\x87" + bytes(20))
        return
    # RFC 7143 11.13: a login response; status class 2, detail 1 is "authentication failure"
    itt = header[16:20]
    status = b"\x02\x01" if how == "refuse" else b"\0\0"
    client.sendall(b"\x23\x87\0\0\0\0\0\0" + header[8:14] + b"\0\1" + itt + bytes(4)
                   + struct.pack(">III", 0, 1, 10) + status + bytes(10))
    if how == "hang":
        time.sleep(3600)
    while True:
        request(client)
        if how == "die-later":
            return


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        serve(connection)
    except (EOFError, OSError):
        pass
    connection.close()
