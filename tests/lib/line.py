"""A line between a client and a server that can be slow or cut; line.mjs drives it.

usage: line.py PORT, the server's on 127.0.0.1.  Prints its own port.  Lines on standard input:
`rate N` (octets a second towards the server, 0: all it can), `cut`, `join`; each is answered by `ok`.

The window that a client sees is a small one, as on a phone's line: kernels that take a whole
upload at once would show a line that no client waits for.
"""
import selectors
import socket
import sys
import time

WINDOW = 16384
SEGMENT = 1400

rate = 0
up = True
target = int(sys.argv[1])
lines = selectors.DefaultSelector()
pairs = {}			# either end → the other
clients = set()			# the ends that are slow
due = {}			# client → when it is read again


def close(end):
    if end not in pairs:
        return
    for one in (end, pairs[end]):
        del pairs[one]
        due.pop(one, None)
        clients.discard(one)
        try:
            lines.unregister(one)
        except KeyError:
            pass
        one.close()


def accept(listener):
    client, _ = listener.accept()
    if not up:
        client.close()
        return
    server = socket.create_connection(("127.0.0.1", target))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pairs[client], pairs[server] = server, client
    clients.add(client)
    for end in (client, server):
        lines.register(end, selectors.EVENT_READ, move)


def move(end):
    slow = end in clients and rate
    try:
        data = end.recv(2048 if slow else 65536)
        if data:
            pairs[end].sendall(data)
    except OSError:
        data = b""
    if not data:
        close(end)
    elif slow:
        lines.unregister(end)
        due[end] = max(due.get("last", 0), time.monotonic()) + len(data) / rate
        due["last"] = due[end]


def command(stream):
    global rate, up
    words = stream.readline().split()
    if not words:
        sys.exit(0)
    if words[0] == "rate":
        rate = int(words[1])
    else:
        up = words[0] == "join"
    if not up:
        for end in list(pairs):
            close(end)
    print("ok", flush=True)


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
listener.bind(("127.0.0.1", 0))
listener.listen(64)
lines.register(listener, selectors.EVENT_READ, accept)
lines.register(sys.stdin, selectors.EVENT_READ, command)
print(listener.getsockname()[1], flush=True)
while True:
    now = time.monotonic()
    for end in [e for e, t in due.items() if e != "last" and t <= now]:
        del due[end]
        lines.register(end, selectors.EVENT_READ, move)
    waits = [t for e, t in due.items() if e != "last"]
    for key, _ in lines.select(max(0, min(waits) - now) if waits else None):
        if key.fileobj is listener or key.fileobj is sys.stdin or key.fileobj in pairs:
            key.data(key.fileobj)
