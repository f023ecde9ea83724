"""process.py ROW AMOUNT WORKERS: the rows of processes with CPython; prints NS 0.

Which of its ways is said by KR_PEER: pool or executor; fork, forkserver or spawn; pipe.  Stands
beside the others to be looked at, with a part of the work where that is a number of operations.

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import mmap
import multiprocessing
import multiprocessing.connection
import os
import signal
import statistics
import sys
import time

LARGE = 1 << 20
NS = 1e9
peer = os.environ.get("KR_PEER", "executor")
fork = multiprocessing.get_context("fork")


def fail(what):
    sys.exit("process.py: " + what + " is wrong")


def task(arg):
    return arg + 1


def to_number(message):
    return int.from_bytes(message[:8], "little")


def to_message(number):
    return number.to_bytes(8, "little") + bytes(LARGE - 8)


def make_pool(workers):
    if peer == "pool":
        return fork.Pool(workers)
    return concurrent.futures.ProcessPoolExecutor(workers, mp_context=fork)


def submit(pool, function, arg):
    """What waits for the result."""
    if peer == "pool":
        return pool.apply_async(function, (arg,)).get
    return pool.submit(function, arg).result


def end(numbers):
    """Nothing that is still there is waited for."""
    print(*numbers, flush=True)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0)


def trips(_, amount, workers):
    pool = make_pool(workers)
    amount = max(amount // 50, 10)
    for timed in range(2):
        begun = time.perf_counter()
        for i in range(amount if timed else amount // 10):
            if submit(pool, task, i)() != i + 1:
                fail("the result of a round trip")
    return (time.perf_counter() - begun) * NS / amount, 0


def maps(row, amount, workers):
    pool = make_pool(workers)
    automatic = "map-auto" in row
    amount = max(amount // (1 if automatic else 10), 10)
    # The executor's own is 1; here it gets what the pool would take.
    share = -(-amount // (4 * workers))
    for timed in range(2):
        items = range(amount if timed else amount // 10)
        begun = time.perf_counter()
        if peer == "executor":
            results = list(pool.map(task, items, chunksize=share if automatic else 1))
        else:
            results = pool.map(task, items, chunksize=None if automatic else 1)
        taken = time.perf_counter() - begun
        if results != list(range(1, len(items) + 1)):
            fail("the result of a map")
    return taken * NS / amount, 0


def large(row, amount, workers):
    pool = make_pool(workers)
    amount = max(amount // 4, 8)
    args = "large.args" in row
    for timed in range(2):
        waiting, total = [], 0
        begun = time.perf_counter()
        for number in range(1, (amount if timed else 8) + 1):
            if args:
                waiting.append(submit(pool, to_number, to_message(number)))
            else:
                waiting.append(submit(pool, to_message, number))
            if len(waiting) == 4:
                result = waiting.pop(0)()
                total += result if args else to_number(result)
        for get in waiting:
            result = get()
            total += result if args else to_number(result)
        taken = time.perf_counter() - begun
    if total != amount * (amount + 1) // 2:
        fail("the sum of the messages")
    return taken * NS / amount, 0


def pid_of(_):
    return os.getpid()


def replace(_, amount, _workers):
    """One death breaks an executor: the successor is another one."""
    taken = []
    pool = make_pool(1)
    for _ in range(amount):
        old = pool.submit(pid_of, 0).result()
        begun = time.perf_counter()
        os.kill(old, signal.SIGKILL)
        new = old
        while new == old:
            try:
                new = pool.submit(pid_of, 0).result()
            except concurrent.futures.process.BrokenProcessPool:
                pool.shutdown(wait=False)
                pool = make_pool(1)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * NS, 0


def nothing():
    pass


def starts(row, _, _workers):
    size = 2 << 30 if "2gib" in row else 10 << 20
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for at in range(0, size, LARGE):
        memory[at : at + LARGE] = b"\1" * LARGE
    context = multiprocessing.get_context(peer)
    taken = []
    for _ in range(6):
        begun = time.perf_counter()
        process = context.Process(target=nothing)
        process.start()
        process.join()
        taken.append(time.perf_counter() - begun)
        if process.exitcode != 0:
            fail("the end of a process")
    return statistics.median(taken[1:]) * NS, 0


def ends_of(row):
    """Both ends of a channel: this process's and its partner's."""
    if not row.startswith("connection."):
        return fork.Pipe()
    family = "AF_INET" if ".tcp." in row else "AF_UNIX"
    address = ("127.0.0.1", 0) if family == "AF_INET" else None
    with multiprocessing.connection.Listener(address, family) as listener:
        here = multiprocessing.connection.Client(listener.address)
        return here, listener.accept()


def answer(end_of_it):
    while True:
        end_of_it.send_bytes(end_of_it.recv_bytes())


def take(end_of_it):
    while True:
        for _ in range(int.from_bytes(end_of_it.recv_bytes(), "little")):
            end_of_it.recv_bytes()
        end_of_it.send_bytes(b"all")


def pipes(row, amount, _):
    here, there = ends_of(row)
    stream = ".stream" in row
    amount = max(amount // (10 if stream else 50), 10)
    message = bytes(64)
    fork.Process(target=take if stream else answer, args=(there,), daemon=True).start()
    begun = time.perf_counter()
    if stream:
        here.send_bytes(amount.to_bytes(8, "little"))
        for _ in range(amount):
            here.send_bytes(message)
        here.recv_bytes()
    else:
        for _ in range(amount):
            here.send_bytes(message)
            here.recv_bytes()
    return (time.perf_counter() - begun) * NS / amount, 0


ROWS = {
    "process_pool.rtt": trips,
    "process_pool.map": maps,
    "process_pool.large": large,
    "process_pool.replace": replace,
    "process.start": starts,
    "pipe.": pipes,
    "connection.": pipes,
}

if __name__ == "__main__":
    for prefix, measure in ROWS.items():
        if sys.argv[1].startswith(prefix):
            end(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    fail("the name of the row")
