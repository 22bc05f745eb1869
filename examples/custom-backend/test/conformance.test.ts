import { describeBackend } from '@modelwright/backend-conformance';
import { createBackend } from '../dist/profiling-backend.js';

// This is all that a backend's test needs to be.
describeBackend('profiling', { create: createBackend });
