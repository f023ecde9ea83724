"""meet.py ROW AMOUNT WORKERS: the rows of meeting points with CPython; prints NS MAX/MIN.

Stands beside the others to be looked at, with a tenth of the work where that is a number of
operations.  Rows of one process use threading and queue, those of several multiprocessing.

SPDX-License-Identifier: MIT
"""

import multiprocessing
import queue
import sys
import threading
import time

NS = 1e9
shared = multiprocessing.get_context("fork")


def fail(what):
    sys.exit("meet.py: " + what + " is wrong")


def party(count, body, processes):
    """Run body(index) in all of them; returns seconds from the common start to the last's end."""
    kind = shared.Process if processes else threading.Thread
    start = shared.Barrier(count + 1) if processes else threading.Barrier(count + 1)

    def run(index):
        start.wait()
        body(index)

    members = [kind(target=run, args=(index,), daemon=True) for index in range(count)]
    for member in members:
        member.start()
    start.wait()
    begun = time.perf_counter()
    for member in members:
        member.join()
        if processes and member.exitcode != 0:
            fail("the end of a process")
    return time.perf_counter() - begun


def lock_alone(row, amount, _):
    lock = shared.Lock() if row.endswith(".shared") else threading.Lock()
    stop = threading.Event()
    threading.Thread(target=stop.wait, daemon=True).start()
    amount = amount // 10
    begun = time.perf_counter()
    for _ in range(amount):
        lock.acquire()
        lock.release()
    return (time.perf_counter() - begun) * NS / amount, 0


def lock_contended(row, milliseconds, count):
    processes = "processes" in row
    lock = shared.Lock() if processes else threading.Lock()
    guarded = shared.RawArray("Q", 8)
    own = shared.RawArray("Q", count)

    def body(index):
        end = time.perf_counter() + milliseconds / 1e3
        random, sections = index + 1, 0
        while sections % 64 or time.perf_counter() < end:
            with lock:
                for i in range(8):
                    guarded[i] += 1
            for _ in range(20):
                random ^= random << 13 & 0xFFFFFFFFFFFFFFFF
                random ^= random >> 7
                random ^= random << 17 & 0xFFFFFFFFFFFFFFFF
            sections += 1
        own[index] = sections

    taken = party(count, body, processes)
    if any(value != sum(own) for value in guarded):
        fail("mutual exclusion")
    return taken * NS / sum(own), max(own) / max(min(own), 1)


def semaphores(source, rounds):
    sides = [source.Semaphore(0), source.Semaphore(0)]

    def body(index):
        for _ in range(rounds):
            if index == 0:
                sides[1].release()
            sides[index].acquire()
            if index == 1:
                sides[0].release()

    return body


def events(source, rounds):
    sides = [source.Event(), source.Event()]

    def body(index):
        for _ in range(rounds):
            if index == 0:
                sides[1].set()
            sides[index].wait()
            sides[index].clear()
            if index == 1:
                sides[0].set()

    return body


def conditions(source, rounds):
    changed = source.Condition()
    whose = shared.RawValue("i", 0)

    def body(index):
        for _ in range(rounds):
            with changed:
                while whose.value != index:
                    changed.wait()
                whose.value = 1 - index
                changed.notify()

    return body


def barriers(source, rounds):
    barrier = source.Barrier(2)

    def body(_):
        for _ in range(rounds):
            barrier.wait()

    return body


def pingpong(row, rounds, _):
    processes = ".shared" in row
    make = {
        "semaphore": semaphores,
        "event": events,
        "condition": conditions,
        "barrier": barriers,
    }[row.split(".")[0]]
    rounds = max(rounds // 10, 1)
    body = make(shared if processes else threading, rounds)
    return party(2, body, processes) * NS / rounds, 0


def queues(row, amount, count):
    channel = queue.Queue(1024 if "unbounded" not in row else 0)
    pairs = count // 2
    items = max(amount // 10 // pairs, 1)
    sums = [0] * pairs

    def body(index):
        if index < pairs:
            for i in range(items):
                channel.put(index * items + i + 1)
        else:
            sums[index - pairs] = sum(channel.get() for _ in range(items))

    taken = party(count, body, False)
    if sum(sums) != items * pairs * (items * pairs + 1) // 2:
        fail("the sum of the items")
    return taken * NS / (items * pairs), 0


def streams(row, amount, count):
    large = "1mib" in row
    channel = shared.Queue(8 if large else 1024)
    message = bytes(1 << 20 if large else 64)[8:]
    pairs = count // 2
    items = max(amount // 10 // pairs, 1)
    sums = shared.RawArray("Q", pairs)

    def body(index):
        if index < pairs:
            for i in range(items):
                channel.put((index * items + i + 1).to_bytes(8, "little") + message)
        else:
            own = (int.from_bytes(channel.get()[:8], "little") for _ in range(items))
            sums[index - pairs] = sum(own)

    taken = party(count, body, True)
    if sum(sums) != items * pairs * (items * pairs + 1) // 2:
        fail("the sum of the messages")
    return taken * NS / (items * pairs), 0


def measure(row, amount, count):
    if row.startswith("lock.uncontended"):
        return lock_alone(row, amount, count)
    if row.startswith("lock."):
        return lock_contended(row, amount, count)
    if ".pingpong" in row:
        return pingpong(row, amount, count)
    return (queues if row.startswith("queue.") else streams)(row, amount, count)


if __name__ == "__main__":
    print(*measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
