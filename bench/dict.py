"""dict.py ROW AMOUNT WORKERS: gets or sets of CPython's Manager().dict(); prints NS 0.

SPDX-License-Identifier: MIT
"""

import multiprocessing
import random
import sys
import time

KEYS = 10000
context = multiprocessing.get_context("fork")


def work(shared, write, keys, amount, begin):
    value = bytes(64)
    chosen = random.choices(keys, k=amount)
    begin.wait()
    if write:
        for key in chosen:
            shared[key] = value
    else:
        for key in chosen:
            shared[key]


def main():
    row, amount, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    keys = [b"key:%08d" % i for i in range(KEYS)]
    with context.Manager() as manager:
        shared = manager.dict({key: bytes(64) for key in keys})
        begin = context.Barrier(workers + 1)
        args = (shared, ".set." in row, keys, amount, begin)
        all_workers = [context.Process(target=work, args=args) for _ in range(workers)]
        for worker in all_workers:
            worker.start()
        begin.wait()
        start = time.perf_counter()
        for worker in all_workers:
            worker.join()
        taken = time.perf_counter() - start
    print(taken * 1e9 / (amount * workers), 0)


main()
