export { createReferenceBackend as createBackend } from '@modelwright/core';
