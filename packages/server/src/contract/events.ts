import type { TensorMap } from '@modelwright/core';
import type { Action, Principal } from './access.js';
import type { InferenceTiming } from './model-hub.js';
import type { ModelState } from './model-info.js';

/** What happens in a server; metrics, audit log, traces and drift summaries listen. */
export type ServerEvent =
  | {
      readonly kind: 'inference';
      readonly requestId: string;
      readonly protocol: string;
      readonly principal: Principal;
      readonly model: string;
      readonly version: string;
      readonly sha256: string;
      readonly outcome: 'success' | 'failure';
      /** Error code on failure. */
      readonly errorCode?: string;
      /** Examples asked for. */
      readonly count: number;
      readonly timing?: InferenceTiming;
      readonly totalNanoseconds: number;
      /** Not to be kept: listeners hash or summarise them at once. */
      readonly inputs?: TensorMap;
      readonly promptTokens?: number;
      readonly completionTokens?: number;
      readonly firstTokenNanoseconds?: number;
    }
  | {
      readonly kind: 'execution';
      readonly model: string;
      readonly version: string;
      readonly batchSize: number;
      readonly computeNanoseconds: number;
    }
  | {
      readonly kind: 'model-state';
      readonly model: string;
      readonly version: string;
      readonly state: ModelState;
      readonly reason: string;
      /** What somebody who serves it should know, when it is ready: why its requests do not run together, say. */
      readonly notes?: readonly string[];
      readonly sha256?: string;
      /** Who asked for it, if it was not the server itself. */
      readonly principal?: Principal;
    }
  | {
      readonly kind: 'refused';
      readonly requestId: string;
      readonly protocol: string;
      readonly principal?: Principal;
      readonly action: Action | 'authenticate';
      readonly model: string;
      readonly errorCode: string;
    };

/** Delivers events to listeners in order; a listener that throws is logged, never the caller's trouble. */
export interface EventStream {
  emit(event: ServerEvent): void;
  /** @returns what ends it. */
  subscribe(listener: (event: ServerEvent) => void): () => void;
}
