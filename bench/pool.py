"""pool.py ROW AMOUNT WORKERS: the rows of pools with ThreadPoolExecutor; prints NS P99.

Stands beside the others to be looked at, with a fiftieth of the work where that is a number of tasks.

SPDX-License-Identifier: MIT
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor


def task(arg):
    return arg + 1


def trip(pool, arg):
    if pool.submit(task, arg).result() != arg + 1:
        sys.exit("pool.py: the result of a round trip is wrong")


def submit(pool, amount):
    futures = [pool.submit(task, i) for i in range(amount)]
    if sum(future.result() for future in futures) != amount * (amount + 1) // 2:
        sys.exit("pool.py: the sum is wrong")


def many(pool, amount):
    amount = max(amount // 50, 1)
    submit(pool, amount // 4)
    begun = time.perf_counter_ns()
    submit(pool, amount)
    return (time.perf_counter_ns() - begun) / amount, 0


def hot(pool, milliseconds):
    for i in range(500):
        trip(pool, i)
    made = 0
    begun = now = time.perf_counter_ns()
    while now - begun < milliseconds * 1e6:
        for _ in range(50):
            trip(pool, made)
            made += 1
        now = time.perf_counter_ns()
    return (now - begun) / made, 0


def idle(pool, amount):
    taken = []
    for i in range(amount):
        time.sleep(0.001)
        begun = time.perf_counter_ns()
        trip(pool, i)
        taken.append(time.perf_counter_ns() - begun)
    taken.sort()
    return taken[amount // 2], taken[amount * 99 // 100]


ROWS = {"submit1m": many, "rtt-inline": hot, "rtt-handed": hot, "rtt-idle": idle}
with ThreadPoolExecutor(int(sys.argv[3])) as executor:
    print(*ROWS[sys.argv[1]](executor, int(sys.argv[2])))
