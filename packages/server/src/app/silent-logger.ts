import type { Logger } from 'pino';

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** A logger that says nothing: where nobody gave one. */
export const silentLogger: Logger = createSilentLogger();

function createSilentLogger(): Logger {
  const logger: Record<string, unknown> = Object.fromEntries(levels.map((level) => [level, () => {}]));
  logger['level'] = 'silent';
  logger['bindings'] = () => ({});
  logger['child'] = () => logger;
  logger['flush'] = () => {};
  return logger as unknown as Logger;
}
