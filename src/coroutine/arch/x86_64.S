/* The switch on x86-64, System V.
 *
 * kri_context *kri_context_jump(kri_context *from, kri_context *to)
 *
 * leaves everything that a caller keeps on the stack of `from`, notes where in from->sp, which is
 * its first member, and takes up what lies at to->sp:
 *
 *     to->sp + 0   mxcsr    4 bytes
 *            + 4   control word of the x87, 2 bytes
 *            + 8   r15, r14, r13, r12, rbx, rbp
 *            + 56  where to go on
 *
 * The answer, there, is `from`, where a new context finds it in its first argument, too.
 *
 * The two control words hold the rounding modes and which exceptions trap.  To load them only where
 * they differ takes longer than to load them (6.5 ns against 5.2 on a Zen);
 * without them a switch would take 4.1.
 *
 * The rules for unwinding say the same of both stacks, as what is left on them is laid out the
 * same; that is why a debugger may stop at any instruction here.
 *
 * The processor keeps a list of where calls will return to, and goes on there before it knows.  Who
 * leaves at the very place that the other one has left at returns, so that this guess is right, and
 * so is that for each caller above, as far as both were called the same way; mostly both have
 * yielded, or sleep in the same function.  A jump would leave the list one entry too long, and each
 * return of the callers would be guessed wrongly (5 ns each on a Zen).  Who leaves at another place
 * jumps, for the return would be guessed wrongly as well; a jump through a register is predicted by
 * its history.  Where indirect branches are tracked it is exempt (notrack), as it leads behind a
 * call.  A shadow stack of return addresses would have to be switched, too: a program with this file
 * asks for none, see the note at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#if defined(__x86_64__) && !defined(__ILP32__) && !defined(KRI_UCONTEXT)

        .text

        .globl  kri_context_jump
        .hidden kri_context_jump
        .type   kri_context_jump, @function
        .p2align 5
kri_context_jump:
        .cfi_startproc
        endbr64
        leaq    -56(%rsp), %rsp
        .cfi_adjust_cfa_offset 56
        stmxcsr 0(%rsp)
        fnstcw  4(%rsp)
        movq    %rbp, 48(%rsp)
        .cfi_rel_offset %rbp, 48
        movq    %rbx, 40(%rsp)
        .cfi_rel_offset %rbx, 40
        movq    %r12, 32(%rsp)
        .cfi_rel_offset %r12, 32
        movq    %r13, 24(%rsp)
        .cfi_rel_offset %r13, 24
        movq    %r14, 16(%rsp)
        .cfi_rel_offset %r14, 16
        movq    %r15, 8(%rsp)
        .cfi_rel_offset %r15, 8
        movq    %rdi, %rax
        movq    56(%rsp), %rdx

        movq    %rsp, (%rdi)
        movq    (%rsi), %rsp

        movq    56(%rsp), %rcx
        ldmxcsr 0(%rsp)
        fldcw   4(%rsp)
        movq    8(%rsp), %r15
        movq    16(%rsp), %r14
        movq    24(%rsp), %r13
        movq    32(%rsp), %r12
        movq    40(%rsp), %rbx
        movq    48(%rsp), %rbp
        leaq    56(%rsp), %rsp
        .cfi_adjust_cfa_offset -56
        .cfi_restore %r15
        .cfi_restore %r14
        .cfi_restore %r13
        .cfi_restore %r12
        .cfi_restore %rbx
        .cfi_restore %rbp
        cmpq    %rcx, %rdx
        jne     1f
        ret
1:
        leaq    8(%rsp), %rsp
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        notrack jmp *%rcx
        .cfi_endproc
        .size   kri_context_jump, . - kri_context_jump

/* Where a new context begins, by the first jump to it: r12 is the function, r13 its argument, which
 * comes first; `from` is its second.  Nobody has called this: backtraces end here, by the rule for
 * the return address as by the frame pointer, which is 0. */
        .globl  kri_context_begin
        .hidden kri_context_begin
        .type   kri_context_begin, @function
        .p2align 4
kri_context_begin:
        .cfi_startproc
        .cfi_undefined %rip
        endbr64
        movq    %rdi, %rsi
        movq    %r13, %rdi
        call    *%r12
        ud2
        .cfi_endproc
        .size   kri_context_begin, . - kri_context_begin

/* Indirect branches may be tracked here; shadow stacks are not supported.  (A program has a feature
 * only when each of its parts has it.) */
#if defined(__CET__) && (__CET__ & 1)
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5                /* lengths of the name and of what follows; its type */
        .asciz  "GNU"
        .long   0xc0000002, 4, 1, 0     /* features of the processor: tracking */
#endif

#endif

        .section .note.GNU-stack, "", @progbits
