/**
 * What a batch does: `update` changes the weights; with gradient accumulation `begin` and `accumulate` only collect
 * gradients for the update to come.
 */
export type BatchRole = 'update' | 'begin' | 'accumulate';

/** What batch number `step` (from 0) does when `steps` batches make an update. */
export function batchRole(step: number, steps: number): BatchRole {
  if ((step + 1) % steps === 0) return 'update';
  return step % steps === 0 ? 'begin' : 'accumulate';
}
