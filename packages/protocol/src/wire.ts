/** Every value that travels, defined once: read by client and server, printed into openapi.json. */
export {
  hashSchema,
  changeSchema,
  changeAnswerSchema,
  unavailableSchema,
  missingSchema,
  hintSchema,
  errorSchema,
} from './wire/answers.ts'
export { moneySchema } from './wire/basics.ts'
export { eventSchema, pollSchema } from './wire/events.ts'
export { farmInfoSchema, outputSchema } from './wire/farm.ts'
export { jobSpecSchema, manifestSchema, renderSpecSchema, stageRefSchema, taskRefSchema } from './wire/job.ts'
export { quoteRequestSchema, quoteSchema } from './wire/quote.ts'
export { taskSchema } from './wire/task.ts'
