import type { Logger } from 'pino';
import type { ServerEvent } from '../contract/events.js';

type StateEvent = Extract<ServerEvent, { kind: 'model-state' }>;

/** Errors that are the server's, not the client's. */
const serversFault: ReadonlySet<string> = new Set([
  'internal',
  'backend-failure',
  'model-unavailable',
  'invalid-configuration',
]);

/**
 * Writes what happens in a server to its log: changes of models as `info`, refused and failed requests as `warn`, failures of the server as
 * `error`, and answered requests as `debug`. Never inputs or outputs.
 *
 * @returns what is to be subscribed to a server's events.
 */
export function logEvents(logger: Logger): (event: ServerEvent) => void {
  if (logger.level === 'silent') return () => {};
  const states = new Map<string, StateEvent['state']>();
  return (event) => {
    if (event.kind === 'inference') logInference(logger, event);
    else if (event.kind === 'model-state') {
      const name = `${event.model}/${event.version}`;
      logState(logger, event, states.get(name));
      states.set(name, event.state);
    } else if (event.kind === 'refused') {
      const { kind, principal, ...facts } = event;
      logger.warn({ event: kind, ...facts, ...(principal && { principal: principal.id }) }, 'request refused');
    }
  };
}

function logInference(logger: Logger, event: Extract<ServerEvent, { kind: 'inference' }>): void {
  const { outcome, errorCode = '' } = event;
  const level = outcome === 'success' ? 'debug' : serversFault.has(errorCode) ? 'error' : 'warn';
  if (!logger.isLevelEnabled(level)) return;
  const { requestId, protocol, principal, model, version, count, promptTokens, completionTokens, totalNanoseconds } =
    event;
  const facts = {
    event: 'inference',
    requestId,
    protocol,
    principal: principal.id,
    model,
    version,
    count,
    milliseconds: Math.round(totalNanoseconds / 1e3) / 1e3,
    ...(promptTokens === undefined ? {} : { promptTokens }),
    ...(completionTokens === undefined ? {} : { completionTokens }),
    ...(outcome === 'success' ? {} : { errorCode }),
  };
  logger[level](facts, outcome === 'success' ? 'request answered' : 'request failed');
}

function logState(
  logger: Logger,
  { kind, principal, ...facts }: StateEvent,
  before: StateEvent['state'] | undefined,
): void {
  // Without having been unloaded it could not be loaded; ready for a reason, the new files could not be.
  const isBroken =
    facts.state === 'UNAVAILABLE' ? before !== 'UNLOADING' : facts.state === 'READY' && facts.reason !== '';
  const isNotable = isBroken || facts.notes !== undefined;
  logger[isNotable ? 'warn' : 'info'](
    { event: kind, ...facts, ...(principal && { principal: principal.id }) },
    'model changed',
  );
}
