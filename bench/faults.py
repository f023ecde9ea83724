"""faults.py FAULT: what becomes of a program with CPython's processes; prints one line.

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
import time

KILLS = 20
fork = multiprocessing.get_context("fork")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_50(i):
    if i == 50:
        die()
    return i


def map_worker_killed():
    with fork.Pool(2) as pool:
        done = pool.map(die_at_50, range(100), chunksize=1)
    return f"{len(done)} of 100 items done"


def hold(lock, held):
    lock.acquire()
    held.set()
    time.sleep(60)


def lock_holder_killed():
    lock, held = fork.Lock(), fork.Event()
    holder = fork.Process(target=hold, args=(lock, held))
    holder.start()
    held.wait()
    holder.kill()
    holder.join()
    lock.acquire()
    return "got it"


def put_much(queue):
    for i in range(60):
        queue.put((i, bytes(1 << 20)))


def put_last(queue):
    queue.put((-1, b""))


def queue_writer_killed():
    for kill in range(KILLS):
        queue = fork.Queue(4)
        writer = fork.Process(target=put_much, args=(queue,))
        writer.start()
        queue.get()
        time.sleep(0.005 * (kill % 4))
        writer.kill()
        writer.join()
        fork.Process(target=put_last, args=(queue,)).start()
        while queue.get()[0] >= 0:
            pass
    return f"{KILLS} killed, what others put came"


def queue_reader_killed():
    for _ in range(KILLS):
        queue = fork.Queue()
        reader = fork.Process(target=queue.get)
        reader.start()
        time.sleep(0.05)
        reader.kill()
        reader.join()
        queue.put(1)
        queue.get()
    return f"{KILLS} killed, others got the item"


def one_death():
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
        futures = [pool.submit(die_at_50, i) for i in range(100)]
        failed = sum(future.exception() is not None for future in futures)
        try:
            pool.submit(die_at_50, 0).result()
            after = "the pool goes on"
        except concurrent.futures.process.BrokenProcessPool:
            after = "the pool is broken"
    return f"{failed} of 100 tasks fail, {after}"


def slow_pid(_):
    time.sleep(0.05)
    return os.getpid()


def make_and_wait(tell):
    pool = concurrent.futures.ProcessPoolExecutor(2, mp_context=fork)
    tell.send(set(pool.map(slow_pid, range(20))))
    time.sleep(60)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def parent_killed():
    hear, tell = fork.Pipe(False)
    parent = fork.Process(target=make_and_wait, args=(tell,))
    parent.start()
    workers = hear.recv()
    parent.kill()
    begun = time.monotonic()
    while any(map(alive, workers)) and time.monotonic() - begun < 2:
        time.sleep(0.001)
    left = sum(map(alive, workers))
    if left:
        return f"{left} of {len(workers)} workers alive after 2 s"
    return f"no worker left after {(time.monotonic() - begun) * 1e3:.0f} ms"


def interrupt_all():
    os.kill(0, signal.SIGINT)


def ctrl_c_in_join():
    """As at a terminal: all processes get the signal."""
    pool = fork.Pool(2)
    pool.map_async(slow_pid, range(100), chunksize=1)
    pool.close()
    threading.Timer(0.5, interrupt_all).start()
    try:
        pool.join()
    except KeyboardInterrupt:
        pool.join()
    return "ended"


FAULTS = {
    "map-worker-killed": map_worker_killed,
    "lock-holder-killed": lock_holder_killed,
    "queue-writer-killed": queue_writer_killed,
    "queue-reader-killed": queue_reader_killed,
    "one-death": one_death,
    "parent-killed": parent_killed,
    "ctrl-c-in-join": ctrl_c_in_join,
}

if __name__ == "__main__":
    print(FAULTS[sys.argv[1]](), flush=True)
