"""coroutine.py ROW AMOUNT WORKERS: the rows of coroutines with asyncio, or with uvloop where
KR_PEER says so; prints NS 0.

A fiftieth of the work where that is a number of operations; as many alive at once, and asleep.

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import random
import resource
import sys
import time

BATCH = 100


def check(right, what):
    if not right:
        sys.exit("coroutine.py: " + what)


async def yields(amount):
    visits = 0

    async def some():
        nonlocal visits
        for _ in range(amount // 2):
            visits += 1
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(some()) for _ in range(2)]
    begun = time.perf_counter_ns()
    for task in tasks:
        await task
    check(visits == amount // 2 * 2, "the yields")
    return (time.perf_counter_ns() - begun) / amount


async def spawns(amount):
    async def add_one(number):
        return number + 1

    begun = time.perf_counter_ns()
    for i in range(0, amount, BATCH):
        for task in [asyncio.create_task(add_one(i)) for _ in range(BATCH)]:
            check(await task == i + 1, "the result of a task")
    return (time.perf_counter_ns() - begun) / amount


async def trips(amount):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def answer():
        for _ in range(amount):
            await back.put(await there.get() + 1)

    task = asyncio.create_task(answer())
    begun = time.perf_counter_ns()
    for i in range(amount):
        await there.put(i)
        check(await back.get() == i + 1, "a number in a queue")
    taken = time.perf_counter_ns() - begun
    await task
    return taken / amount


def resident():
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * resource.getpagesize()


async def memory(amount):
    event = asyncio.Event()

    async def linger():
        await event.wait()

    before = resident()
    tasks = [asyncio.create_task(linger()) for _ in range(amount)]
    await asyncio.sleep(0)
    taken = resident() - before
    event.set()
    await asyncio.gather(*tasks)
    return taken / amount


async def sleepers(amount):
    rounds = 3
    begun = 0

    async def sleep_a_while():
        await asyncio.sleep(random.randint(1000, 10000) / 1e6)

    for i in range(rounds + 1):
        if i == 1:
            begun = time.process_time_ns()
        await asyncio.gather(*[sleep_a_while() for _ in range(amount)])
    return (time.process_time_ns() - begun) / rounds / amount


ROWS = {
    "coroutine.yield": (yields, 50),
    "coroutine.spawn": (spawns, 50),
    "coroutine.queue": (trips, 50),
    "coroutine.memory": (memory, 1),
    "sleep.gather": (sleepers, 1),
}
if os.environ.get("KR_PEER") == "uvloop":
    import uvloop

    uvloop.install()
row, part = ROWS[sys.argv[1]]
print(asyncio.run(row(max(int(sys.argv[2]) // part, BATCH))), 0)
