import { createReferenceBackend } from '@modelwright/core';
import { describeBackend } from './describe-backend.js';

// The evaluator against itself: every floor must hold for it, or it asks for what no backend can give.
describeBackend('reference', { create: createReferenceBackend });
