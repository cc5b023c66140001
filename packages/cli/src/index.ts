export { contactSheet, type SheetFrame, type SheetOptions } from './pictures/contact-sheet.ts'
export { frontierChart, type FrontierPoint } from './pictures/frontier-chart.ts'
export { rasterize } from './pictures/svg.ts'
export { timeline, type Bar } from './pictures/timeline.ts'
