export { addKeyToFile, readKeysFile, revokeKeyInFile } from './access/keys-file.js';
export { type AccessFiles, openAccessControl, type WatchedAccessControl } from './access/open-access-control.js';
export { type AuditLog, type AuditLogOptions, openAuditLog } from './audit/audit-log.js';
export { type AuditProblem, type AuditReport, verifyAuditLog } from './audit/verify-audit-log.js';
export { type FolderRepositoryOptions, folderRepository } from './repository/folder-repository.js';
export type { TlsFiles } from './serve/certificates.js';
export type { ConnectionLimits } from './serve/listener.js';
export { type RunningServer, type ServeOptions, serve } from './serve/serve.js';
