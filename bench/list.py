"""list.py ROW AMOUNT WORKERS: calls on CPython's Manager().list(), .Queue(), .Value(); prints NS 0.

SPDX-License-Identifier: MIT
"""

import multiprocessing
import sys
import time

MOST = 1000
ITEM = bytes(64)


def pairs(manager, row):
    """What adds one, and what takes one."""
    if row.startswith("managed.queue."):
        queue = manager.Queue(MOST)
        return lambda: queue.put(ITEM), queue.get
    if row == "managed.value.add":
        value = manager.Value("q", 0)

        def add():
            value.value += 1  # two calls, and not one step

        return add, lambda: None
    shared = manager.list()
    if row.endswith("_left"):
        return lambda: shared.insert(0, ITEM), lambda: shared.pop(0)
    return lambda: shared.append(ITEM), shared.pop


def many(call, count):
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start


def main():
    row, amount = sys.argv[1], int(sys.argv[2])
    takes = row.rpartition(".")[2] in ("pop", "pop_left", "get")
    with multiprocessing.get_context("fork").Manager() as manager:
        add, take = pairs(manager, row)
        taken, done = 0.0, 0
        while done < amount:
            adding, taking = many(add, MOST), many(take, MOST)
            taken += taking if takes else adding
            done += MOST
    print(taken * 1e9 / done, 0)


main()
