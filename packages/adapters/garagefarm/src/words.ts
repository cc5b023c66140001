import type { OperatorWords } from '@pictor/farm-protocol/operator'

/** Steps on the desktop lane: one plugin for each 3D program, then the renderBeamer app, which must run for upload and download. */
export const desktopWords: OperatorWords = {
  send: ({ name, folder, downloads }) => [
    `Open the folder ${folder} and the scene in its folder "scene" in the 3D program. Do not change the scene.`,
    'Start renderBeamer and sign in. Send the scene with the GarageFarm plugin; job.html lists frames, size and format.',
    `Name the project ${name}, and the output files ${name}_####.`,
    'Choose the tier that the job sheet names as its offer (Low where it names none).',
    `Let renderBeamer download into ${downloads}. It must keep running until the last frame has arrived.`,
    'Enter the job number and, when it is known, the price.',
  ],
  cancel: ['Cancel the job in the Web Manager (app.garagefarm.net).', 'Enter what was charged until then.'],
}

/** Steps on the manual lane: sent by the operator in whatever way the farm gives him. */
export const manualWords: OperatorWords = {
  send: ({ name, folder, downloads }) => [
    `Send the scene in ${folder}/scene to GarageFarm by the way it gave you (web, FTP, support). job.html lists frames, size and format.`,
    `Name the project ${name}, and the output files ${name}_####.`,
    `Put finished frames into ${downloads}, or deliver them by upload.`,
    'Enter the job number and, when it is known, the price.',
  ],
  cancel: desktopWords.cancel,
}
