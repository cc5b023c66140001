import type { Command } from 'commander'

/** Adds the options of a machine that renders to a command: see `MachineOptions`. */
export function addMachineOptions(command: Command, devices: 'auto' | 'cpu'): Command {
  return command
    .option('--devices <kind>', 'auto: every GPU that Cycles finds, else the CPU; or gpu, or cpu', devices)
    .option('--slots <n>', 'tasks at once, of each GPU', '1')
    .option('--threads <n>', 'CPU threads of a slot (default: the cores divided by the slots)')
    .option('--blender <path...>', 'Blenders of several versions side by side: the scene decides')
    .option('--memory-mib <n>', 'most memory of one Blender (default: its share of the machine)')
    .option('--recycle-frames <n>', 'frames after which a warm Blender is replaced by a fresh one', '2000')
    .option('--recycle-hours <n>', 'or its age', '24')
    .option('--recycle-mib <n>', 'or its memory after a frame (default: no limit)')
    .option('--unsafe-no-sandbox', 'open scenes of strangers without a sandbox; recorded in verdicts')
}
