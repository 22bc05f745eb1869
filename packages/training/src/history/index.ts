export { type EpochLogs, History, type HistoryData } from './history.js';
export type { HistoryPlotOptions } from './history-plot.js';
