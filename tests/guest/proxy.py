#!/usr/bin/env python3
"""A TCP relay whose connections can be cut or silenced, as cables do.

usage: proxy.py PORT (to 127.0.0.1:PORT; the port of its own is the line on standard output)
SIGUSR1 resets every connection; SIGUSR2 makes those there are silent, new ones work.
"""
import selectors
import signal
import socket
import struct
import sys

selector = selectors.DefaultSelector()
pairs = set()
# A handler of Python's would not run in select(); the byte that arrives here ends it.
signal_reader, signal_writer = socket.socketpair()


class Pair:
    def __init__(self, client):
        self.sockets = (client, socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5))
        for one, other in (self.sockets, self.sockets[::-1]):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.settimeout(20)
            selector.register(one, selectors.EVENT_READ, (self, other))
        pairs.add(self)

    def relay(self, one, other):
        try:
            data = one.recv(65536)
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        self.close(reset=False)

    def silence(self):
        for one in self.sockets:
            if one in selector.get_map():
                selector.unregister(one)

    def close(self, reset):
        self.silence()
        for one in self.sockets:
            if reset:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        pairs.discard(self)


def accept(listener, _):
    client = listener.accept()[0]
    try:
        Pair(client)
    except OSError:
        client.close()  # nobody serves just now


def signals(reader, _):
    for number in reader.recv(64):
        for pair in list(pairs):
            if number == signal.SIGUSR1:
                pair.close(reset=True)
            elif number == signal.SIGUSR2:
                pair.silence()


def main():
    signal_writer.setblocking(False)
    signal.set_wakeup_fd(signal_writer.fileno())
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: None)
    listener = socket.create_server(("127.0.0.1", 0))
    selector.register(listener, selectors.EVENT_READ, (accept, None))
    selector.register(signal_reader, selectors.EVENT_READ, (signals, None))
    print(listener.getsockname()[1], flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj.fileno() < 0:
                continue  # its pair was closed in this round
            what, other = key.data
            if isinstance(what, Pair):
                what.relay(key.fileobj, other)
            else:
                what(key.fileobj, other)


main()
