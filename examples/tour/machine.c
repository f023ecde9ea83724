/* The interpreter, where Lua is not installed: a machine with four registers and seven codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <stdlib.h>

enum { CHECK = 1000 }; /* instructions between two check points */

enum code {
    SET,
    ADD,
    NOT_BELOW,    /* jump if the register is not below END */
    SQUARE_ABOVE, /* jump if its square is above NUMBER */
    DIVIDES,      /* jump if it divides NUMBER */
    GO,
    STOP,
};

enum { NUMBER, END, DIVISOR, COUNTED, REGISTERS };

struct instruction {
    unsigned char code, at; /* at: a register */
    short value;            /* or how far to jump */
};

static const struct instruction primes_program[] = {
    /* clang-format off */
    /* 0 */ {NOT_BELOW, NUMBER, 9},
    /* 1 */ {SET, DIVISOR, 2},
    /* 2 */ {SQUARE_ABOVE, DIVISOR, 4},
    /* 3 */ {DIVIDES, DIVISOR, 4},
    /* 4 */ {ADD, DIVISOR, 1},
    /* 5 */ {GO, 0, -3},
    /* 6 */ {ADD, COUNTED, 1},
    /* 7 */ {ADD, NUMBER, 1},
    /* 8 */ {GO, 0, -8},
    /* 9 */ {STOP, 0, 0},
    /* clang-format on */
};

struct interpreter {
    const struct instruction *program;
};

const char interpreter_name[] = "a small machine (Lua is not installed)";

int interpreter_open(struct interpreter **result)
{
    struct interpreter *interpreter = malloc(sizeof *interpreter);
    if (!interpreter)
        return -ENOMEM;
    interpreter->program = primes_program;
    *result = interpreter;
    return 0;
}

/* Of one instruction: where the next one is. */
static const struct instruction *step(const struct instruction *now, long *registers)
{
    long *at = &registers[now->at];
    bool jump = false;
    switch ((enum code)now->code) {
    case SET:
        *at = now->value;
        break;
    case ADD:
        *at += now->value;
        break;
    case NOT_BELOW:
        jump = *at >= registers[END];
        break;
    case SQUARE_ABOVE:
        jump = *at * *at > registers[NUMBER];
        break;
    case DIVIDES:
        jump = registers[NUMBER] % *at == 0;
        break;
    case GO:
        jump = true;
        break;
    case STOP:
        return NULL;
    }
    return now + (jump ? now->value : 1);
}

int interpreter_primes(struct interpreter *interpreter, long from, long to, kr_gil_thread *lock,
                       long *primes)
{
    long registers[REGISTERS] = {[NUMBER] = from, [END] = to};
    const struct instruction *now = interpreter->program;
    for (long done = 1; now; done++) {
        now = step(now, registers);
        if (done % CHECK != 0)
            continue;
        if (lock && kr_gil_check(lock) != 0)
            return -ECANCELED;
        if (!lock && kr_cancelled())
            return -ECANCELED;
    }
    *primes = registers[COUNTED];
    return 0;
}

void interpreter_close(struct interpreter *interpreter)
{
    free(interpreter);
}
