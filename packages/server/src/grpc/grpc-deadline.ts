const unitMilliseconds: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * When a call has to be answered, on the clock of `performance.now()`: what the client says, but not later than the server's limit.
 *
 * @param timeout - The header `grpc-timeout`: `250m`. One that is malformed is refused where the call is decoded.
 */
export function grpcDeadline(timeout: string | undefined, limitMilliseconds: number): number {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(timeout ?? '') ?? [];
  const milliseconds = unit === undefined ? limitMilliseconds : Number(digits) * (unitMilliseconds[unit] as number);
  return performance.now() + Math.min(milliseconds, limitMilliseconds);
}
