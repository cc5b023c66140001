import { arch } from 'node:os'

/**
 * System calls that no renderer needs and that attacks on the kernel or on other processes start from. Numbers: linux/arch/x86/entry/syscalls/syscall_64.tbl
 * and include/uapi/asm-generic/unistd.h (arm64).
 */
const DENIED: Readonly<Record<string, { readonly x64?: number; readonly arm64?: number }>> = {
  ptrace: { x64: 101, arm64: 117 },
  syslog: { x64: 103, arm64: 116 },
  personality: { x64: 135, arm64: 92 },
  pivot_root: { x64: 155, arm64: 41 },
  chroot: { x64: 161, arm64: 51 },
  acct: { x64: 163, arm64: 89 },
  mount: { x64: 165, arm64: 40 },
  umount2: { x64: 166, arm64: 39 },
  swapon: { x64: 167, arm64: 224 },
  swapoff: { x64: 168, arm64: 225 },
  reboot: { x64: 169, arm64: 142 },
  init_module: { x64: 175, arm64: 105 },
  delete_module: { x64: 176, arm64: 106 },
  lookup_dcookie: { x64: 212, arm64: 18 },
  kexec_load: { x64: 246, arm64: 104 },
  add_key: { x64: 248, arm64: 217 },
  request_key: { x64: 249, arm64: 218 },
  keyctl: { x64: 250, arm64: 219 },
  unshare: { x64: 272, arm64: 97 },
  perf_event_open: { x64: 298, arm64: 241 },
  open_by_handle_at: { x64: 304, arm64: 265 },
  setns: { x64: 308, arm64: 268 },
  process_vm_readv: { x64: 310, arm64: 270 },
  process_vm_writev: { x64: 311, arm64: 271 },
  finit_module: { x64: 313, arm64: 273 },
  kexec_file_load: { x64: 320, arm64: 294 },
  bpf: { x64: 321, arm64: 280 },
  userfaultfd: { x64: 323, arm64: 282 },
  pidfd_getfd: { x64: 438, arm64: 438 },
  io_uring_setup: { x64: 425, arm64: 425 },
  io_uring_enter: { x64: 426, arm64: 426 },
  io_uring_register: { x64: 427, arm64: 427 },
  move_mount: { x64: 429, arm64: 429 },
  open_tree: { x64: 428, arm64: 428 },
  fsopen: { x64: 430, arm64: 430 },
  fsmount: { x64: 432, arm64: 432 },
}

/** Calls that start a process, refused where a renderer needs threads only. `clone3` hides its flags in memory that a filter cannot read: it is said not to exist, and libraries take `clone`. */
const STARTS: Readonly<Record<string, { readonly clone: number; readonly clone3: number; readonly others: readonly number[] }>> =
  {
    x64: { clone: 56, clone3: 435, others: [57, 58] }, // fork, vfork
    arm64: { clone: 220, clone3: 435, others: [] },
  }
const CLONE_THREAD = 0x10000 // linux/sched.h

// linux/bpf_common.h and linux/seccomp.h
const LOAD_WORD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06
const ALLOW = 0x7fff0000
const KILL_PROCESS = 0x80000000
const ERRNO_EPERM = 0x00050001
const ERRNO_ENOSYS = 0x00050026
const NUMBER_AT = 0
const ARCH_AT = 4
/** Low half of a call's first argument; both processors are little-endian. */
const ARGUMENT_AT = 16
const AUDIT_ARCH: Readonly<Record<string, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 }
/** x32 calls on x86-64 carry this bit and would slip past the numbers above. */
const X32_BIT = 0x40000000

/**
 * The filter as the kernel takes it (an array of struct sock_filter), or undefined on a processor that it is not written for.
 * @param alone the process may start threads but no other process
 */
export function seccompFilter(alone: boolean, processor: string = arch()): Buffer | undefined {
  const audit = AUDIT_ARCH[processor]
  if (audit === undefined) return undefined
  const numbers = Object.values(DENIED).flatMap((call) => call[processor as 'x64' | 'arm64'] ?? [])
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, ARCH_AT],
    [JUMP_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER_AT],
    [JUMP_AT_LEAST, 0, 1, X32_BIT],
    [RETURN, 0, 0, ERRNO_EPERM],
    ...numbers.flatMap((number) => refuse(number, ERRNO_EPERM)),
    ...(alone ? threadsOnly(STARTS[processor]!) : []),
    [RETURN, 0, 0, ALLOW],
  ]
  const bytes = Buffer.alloc(program.length * 8)
  for (const [i, [code, yes, no, value]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8)
    bytes.writeUInt8(yes, i * 8 + 2)
    bytes.writeUInt8(no, i * 8 + 3)
    bytes.writeUInt32LE(value, i * 8 + 4)
  }
  return bytes
}

/** Code, jump if true, jump if false, operand. */
type Instruction = readonly [number, number, number, number]

function refuse(number: number, answer: number): Instruction[] {
  return [
    [JUMP_EQUAL, 0, 1, number],
    [RETURN, 0, 0, answer],
  ]
}

/** Comes last: it loads another word than the call's number. */
function threadsOnly({ clone, clone3, others }: (typeof STARTS)[string]): Instruction[] {
  return [
    ...others.flatMap((number) => refuse(number, ERRNO_EPERM)),
    ...refuse(clone3, ERRNO_ENOSYS),
    [JUMP_EQUAL, 0, 3, clone],
    [LOAD_WORD, 0, 0, ARGUMENT_AT],
    [JUMP_ANY_BIT, 1, 0, CLONE_THREAD],
    [RETURN, 0, 0, ERRNO_EPERM],
  ]
}
