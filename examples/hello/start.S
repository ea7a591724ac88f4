// SPDX-License-Identifier: Apache-2.0
// Where the machine starts: 32-bit protected mode, flat segments, no paging, start info in %ebx (PVH).
        .section .note.Xen, "a", @note
        .balign 4
        .long 4, 4, 18                  // name and value are 4 bytes; 18 says: a 32-bit entry point
        .asciz "Xen"
        .long start

        .text
        .globl start
start:  mov     $stack_top, %esp
        push    %ebx
        call    kernel

        .bss
        .align  16
        .space  4096
stack_top:
        .section .note.GNU-stack, "", @progbits
