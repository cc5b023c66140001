import type { OperatorWords } from '@pictor/farm-protocol/operator'

const change = {
  cancel: [
    'Cancel the job in ControlCenter. This is final, and RenderPoints that were used are not refunded.',
    'Enter what was charged until then.',
  ],
  hold: ['Pause the job in ControlCenter. Frames that are rendering end first, and they are charged.'],
  resume: ['Continue the job in ControlCenter.'],
  priority: [
    'Move the job in the queue of ControlCenter. This works only before rendering starts and does not change the speed.',
  ],
} as const

/** Steps on the desktop lane: the Farminizer plugin, then RebusDrop. */
export const desktopWords: OperatorWords = {
  ...change,
  send: ({ name, folder, downloads }) => [
    `Open the folder ${folder} and the scene in its folder "scene" in the 3D program. Do not change the scene.`,
    'Check it with the Smart check of the Farminizer plugin and send it with RebusDrop; job.html lists frames, size and format.',
    `Name the job ${name}, and the output files ${name}_####.`,
    'Hold enough RenderPoints: the farm asks for 30 % to 50 % of the estimate, and a negative balance pauses the job.',
    `Pay the rest when the job has ended: pictures can be downloaded only then. Download into ${downloads}.`,
    'Enter the job number and, when it is known, the price.',
  ],
}

/** Steps on the manual lane: zip by web upload or FTP, and a price that a person quotes. */
export const manualWords: OperatorWords = {
  ...change,
  send: ({ name, folder, downloads }) => [
    `Pack the folder ${folder}/scene into a zip named ${name}.zip and send it by the web uploader or FTP that RebusFarm gave you.`,
    `Send an e-mail with frames, resolution and format from job.html; ask for output files named ${name}_####.`,
    'Wait for the price and agree to it.',
    `Put finished frames into ${downloads}, or deliver them by upload.`,
    'Enter the job number and the price.',
  ],
}
