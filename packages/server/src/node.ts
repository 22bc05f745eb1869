export { addKeyToFile, readKeysFile, revokeKeyInFile } from './access/keys-file.js';
export { type AccessFiles, openAccessControl, type WatchedAccessControl } from './access/open-access-control.js';
