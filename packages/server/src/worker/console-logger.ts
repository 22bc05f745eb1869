import type { Logger } from 'pino';
import { silentLogger } from '../app/silent-logger.js';

/** Writes errors to the console, which edge platforms keep as the log of a worker; what is no error is not written. */
export const consoleLogger: Logger = createConsoleLogger();

function createConsoleLogger(): Logger {
  const write = (details: unknown, message?: string): void => {
    const { err, requestId, route } = (details ?? {}) as { err?: unknown; requestId?: string; route?: string };
    console.error(JSON.stringify({ level: 'error', message, requestId, route, error: textOf(err) }));
  };
  const logger: Record<string, unknown> = { ...silentLogger, level: 'error', error: write, fatal: write };
  logger['child'] = () => logger;
  return logger as unknown as Logger;
}

function textOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
