export { describeBackend } from './describe-backend.js';
export { conformancePrograms } from './programs/networks.js';
export type { ConformanceProgram } from './programs/program-builder.js';
export type { BackendUnderTest, CaseOutcome, SupportReport } from './suite.js';
export { supportTable } from './support-table.js';
