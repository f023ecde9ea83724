"""gil.py udp|tcp COMPUTING [apart]: what gil_lua serve does, with CPython.

One thread echoes, so many others compute in the same interpreter.  Prints where it listens, and for
each line of standard input how many rounds were computed until when.  Ends where that ends.

SPDX-License-Identifier: MIT
"""

import os
import socket
import sys
import threading
import time

kind, computing = sys.argv[1], int(sys.argv[2])
rounds = [0] * computing
processors = sorted(os.sched_getaffinity(0))


def bind(number):
    """The calling thread, as gil_lua's --apart."""
    if len(sys.argv) > 3 and number <= len(processors):
        os.sched_setaffinity(0, {processors[number - 1]})


def compute(i):
    bind(1)
    while True:
        total = 0
        for j in range(1000):
            total += j % 7
        rounds[i] += 1


def echo_datagrams(listener):
    bind(2)
    while True:
        data, other = listener.recvfrom(65536)
        listener.sendto(data, other)


def echo_connections(listener):
    bind(2)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            data = connection.recv(65536)
            if not data:
                break
            connection.sendall(data)


server = socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
if kind == "tcp":
    server.listen(64)
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)
echo = echo_connections if kind == "tcp" else echo_datagrams
threading.Thread(target=echo, args=(server,), daemon=True).start()
for number in range(computing):
    threading.Thread(target=compute, args=(number,), daemon=True).start()
for _ in sys.stdin:
    print(sum(rounds), time.perf_counter(), flush=True)
os._exit(0)
