/* The switch on AArch64.
 *
 * kri_context *kri_context_jump(kri_context *from, kri_context *to)
 *
 * leaves everything that a caller keeps on the stack of `from`, notes where in from->sp, which is
 * its first member, and takes up what lies at to->sp:
 *
 *     to->sp + 0    fpcr: rounding mode, traps
 *            + 16   x19 ... x28
 *            + 96   x29, x30: the frame, and where to go on
 *            + 112  d8 ... d15
 *
 * The answer, there, is `from`, where a new context finds it in its first argument, too.
 *
 * To write fpcr may stop the processor until all before it is done, so it is compared first.  The
 * lower halves of v8 to v15 are all that a caller keeps of them.
 *
 * The return leads where x30 says; branches that are tracked (BTI) are those with an address in a
 * register that are no returns, so only the beginning of the function has a mark.  Addresses are
 * not signed here (PAC): a new context would need one that is signed for its stack.
 *
 * SPDX-License-Identifier: MIT
 */
#if defined(__aarch64__) && !defined(KRI_UCONTEXT)

#define BTI_C hint #34

        .text

        .globl  kri_context_jump
        .hidden kri_context_jump
        .type   kri_context_jump, %function
        .p2align 4
kri_context_jump:
        .cfi_startproc
        BTI_C
        sub     sp, sp, #176
        .cfi_adjust_cfa_offset 176
        mrs     x9, fpcr
        stp     x19, x20, [sp, #16]
        .cfi_rel_offset x19, 16
        .cfi_rel_offset x20, 24
        stp     x21, x22, [sp, #32]
        .cfi_rel_offset x21, 32
        .cfi_rel_offset x22, 40
        stp     x23, x24, [sp, #48]
        .cfi_rel_offset x23, 48
        .cfi_rel_offset x24, 56
        stp     x25, x26, [sp, #64]
        .cfi_rel_offset x25, 64
        .cfi_rel_offset x26, 72
        stp     x27, x28, [sp, #80]
        .cfi_rel_offset x27, 80
        .cfi_rel_offset x28, 88
        stp     x29, x30, [sp, #96]
        .cfi_rel_offset x29, 96
        .cfi_rel_offset x30, 104
        stp     d8, d9, [sp, #112]
        stp     d10, d11, [sp, #128]
        stp     d12, d13, [sp, #144]
        stp     d14, d15, [sp, #160]
        str     x9, [sp]

        mov     x10, sp
        ldr     x11, [x1]
        str     x10, [x0]
        mov     sp, x11

        ldr     x10, [sp]
        cmp     x9, x10
        b.eq    1f
        msr     fpcr, x10
1:
        ldp     d14, d15, [sp, #160]
        ldp     d12, d13, [sp, #144]
        ldp     d10, d11, [sp, #128]
        ldp     d8, d9, [sp, #112]
        ldp     x29, x30, [sp, #96]
        ldp     x27, x28, [sp, #80]
        ldp     x25, x26, [sp, #64]
        ldp     x23, x24, [sp, #48]
        ldp     x21, x22, [sp, #32]
        ldp     x19, x20, [sp, #16]
        add     sp, sp, #176
        .cfi_adjust_cfa_offset -176
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   kri_context_jump, . - kri_context_jump

/* Where a new context begins, by the first jump to it: x19 is the function, x20 its argument, which
 * comes first; `from` is its second.  Nobody has called this: backtraces end here, by the rule for
 * the return address as by the frame pointer, which is 0. */
        .globl  kri_context_begin
        .hidden kri_context_begin
        .type   kri_context_begin, %function
        .p2align 4
kri_context_begin:
        .cfi_startproc
        .cfi_undefined x30
        mov     x1, x0
        mov     x0, x20
        blr     x19
        brk     #1
        .cfi_endproc
        .size   kri_context_begin, . - kri_context_begin

/* Indirect branches may be tracked here. */
#if defined(__ARM_FEATURE_BTI_DEFAULT)
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5                /* lengths of the name and of what follows; its type */
        .asciz  "GNU"
        .long   0xc0000000, 4, 1, 0     /* features of the processor: tracking */
#endif

#endif

        .section .note.GNU-stack, "", %progbits
