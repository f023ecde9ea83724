"""krait from another language: no macros, no inline functions.

SPDX-License-Identifier: MIT
"""
import ctypes
import sys

krait = ctypes.CDLL(sys.argv[1])
krait.kr_version.restype = ctypes.c_char_p
krait.kr_strerror.restype = ctypes.c_char_p
krait.kr_queue_put.argtypes = krait.kr_queue_get.argtypes = [
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]

queue = ctypes.c_void_p()
err = krait.kr_queue_create(ctypes.byref(queue), ctypes.c_size_t(4), ctypes.c_size_t(1), None)
assert err == 0, err
number = ctypes.c_int(42)
assert krait.kr_queue_put(queue, ctypes.byref(number), 0) == 0
assert krait.kr_strerror(krait.kr_queue_put(queue, ctypes.byref(number), 0)) == \
    b"Connection timed out"
got = ctypes.c_int()
assert krait.kr_queue_get(queue, ctypes.byref(got), 0) == 0 and got.value == 42
krait.kr_queue_release(queue)

Task = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@Task
def double(arg, result):
    number = ctypes.cast(arg, ctypes.POINTER(ctypes.c_int))[0]
    ctypes.cast(result, ctypes.POINTER(ctypes.c_int))[0] = 2 * number
    return 0


pool, future, result = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
assert krait.kr_thread_pool(ctypes.byref(pool), None) == 0
assert krait.kr_submit(pool, ctypes.byref(future), double, ctypes.byref(number),
                       ctypes.c_size_t(4), ctypes.c_size_t(4)) == 0
assert krait.kr_future_result(future, ctypes.byref(result), ctypes.c_size_t(4), None,
                              ctypes.c_int64(60 * 10**9)) == 0
assert result.value == 84, result.value
krait.kr_future_release(future)
krait.kr_executor_release(pool)
print("krait", krait.kr_version().decode(), "from Python")
