import { Option, type Command } from 'commander'
import { addJobOptions, perform, withEnv, type Arguments } from './perform.ts'

const SCENE_NAME = 'which scene of the file (default: the one that was open when it was saved)'
const CAMERA = 'which camera (default: as the scene says, switched by timeline markers)'

/** From a scene to frames, and what can be said of either. */
export function addOrderCommands(program: Command): void {
  program.commandsGroup('Scenes and frames:')
  addJobOptions(
    program
      .command('render [scene]')
      .description('plan, lock, render, check, pay and deliver; or take a run up again with --attach')
      .option('--frames <range>', "frame range such as 1-240 or 1-10:2 (default: the file's)")
      .option('--scene-name <name>', SCENE_NAME)
      .option('--camera <name>', CAMERA)
      .option('--deadline <when>', 'such as 2h, 45m, "friday 18:00" or an ISO date')
      .option('--budget <amount>', 'the most to spend, such as 40 (USD) or "20 PICTOR"')
      .option('--out <dir>', 'folder for the frames', 'out')
      .addOption(new Option('--goal <goal>', 'which plan to take').choices(['cheapest', 'fastest']).default('cheapest'))
      .option('--samples <n>', "samples a pixel instead of the file's")
      .option('--name <name>', 'name of the job and its files')
      .option('--probe-again', 'measure the farms again instead of using probes of the last seven days')
      .option('--max-farms <n>', 'split the frames over at most so many farms')
      .option('--tiles <auto|n>', 'split each frame over hosts: into n tiles, or auto when there are fewer frames than hosts')
      .option('--scouts', 'first, middle and last frame first; the rest when they pass')
      .option('--attach <run>', 'take this run up again: its id, the beginning of it, or the name of the job')
      .action((scene: string | undefined, options: Arguments) =>
        perform(options, async (context) =>
          (await import('../commands/render.ts')).render({ ...withEnv(options), scene } as never, context),
        ),
      ),
  )

  addJobOptions(
    program
      .command('plan [scene]')
      .description('show the choice between cheap and fast; or solve a routing instance with --instance')
      .option('--frames <range>', "frame range (default: the file's)")
      .option('--scene-name <name>', SCENE_NAME)
      .option('--camera <name>', CAMERA)
      .option('--samples <n>', "samples a pixel instead of the file's")
      .option('--deadline <when>', 'such as 2h or "friday 18:00"', '24h')
      .option('--budget <amount>', 'the most to spend, in USD or such as "20 PICTOR"', '1000')
      .option('--probe-again', 'measure the farms again instead of using probes of the last seven days')
      .option('--max-farms <n>', 'split the frames over at most so many farms')
      .option('--tiles <auto|n>', 'split each frame over hosts: into n tiles, or auto when there are fewer frames than hosts')
      .option('--svg <file>', 'write the chart as SVG')
      .option('--png <file>', 'write the chart as PNG')
      .option('--instance <file>', 'a pictor-route-instance/1 file')
      .action((scene: string | undefined, options: Arguments) =>
        perform(options, async (context) =>
          (await import('../commands/plan.ts')).plan({ ...withEnv(options), scene } as never, context),
        ),
      ),
  )

  program
    .command('inspect <scene>')
    .description('what a scene orders, what is missing, what a wrangler should know')
    .option('--scene-name <name>', SCENE_NAME)
    .option('--camera <name>', CAMERA)
    .option('--foreign', "somebody else's scene: opened in a sandbox that sees only its folder")
    .option('--json', 'one JSON object')
    .action((scene: string, options: Arguments) =>
      perform(options, async (context) => (await import('../commands/inspect.ts')).inspect(scene, options as never, context)),
    )

  program
    .command('check <path>')
    .description('validate rendered frames: a folder, or a manifest with reference renders')
    .option('--json', 'one line a frame')
    .option('--report <dir>', 'write a page with thumbnails and difference pictures')
    .option('--frames <range>', 'frames that must be there, such as 1-240 (default: gaps in the numbers are doubts)')
    .option('--size <WxH>', 'the ordered resolution, such as 1920x1080 (default: what most frames have)')
    .option('--black <range>', 'frames that are meant to be black')
    .option('--still', 'frames may repeat: a still shot, holds, animation on twos')
    .action((path: string, options: Arguments) =>
      perform(options, async (context) => (await import('../commands/check.ts')).check(path, options as never, context)),
    )

  program
    .command('verify <receipt>')
    .description('verify a receipt; names the first thing that does not hold')
    .option('--block-hash <hash>', 'a block hash you trust; with --escrow it anchors the receipt, offline')
    .option('--escrow <address>', 'the escrow you know')
    .option('--code-hash <hash>', "the hash of the escrow's code, instead of its address")
    .option('--chain-id <number>', 'the chain you expect')
    .option('--ledger <address>', 'the app whose word counts, for receipts of a local book')
    .option('--rpc <url>', 'a node you trust: asked for the block and its chain')
    .option('--json', 'one JSON object')
    .action((receipt: string, options: Arguments) =>
      perform(options, async (context) => (await import('../commands/verify.ts')).verify(receipt, options as never, context)),
    )
}
