import { expect, test } from 'vitest';
import { createProgress, formatDuration } from './progress-display.js';

function terminal(isTTY: boolean, columns = 120) {
  let text = '';
  let time = 0;
  return {
    stream: { isTTY, columns, write: (piece: string) => (text += piece) },
    now: () => time,
    pass: (milliseconds: number) => {
      time += milliseconds;
    },
    text: () => text,
    /** What is on the screen: each line as last redrawn. */
    screen: () =>
      text
        .split('\n')
        .map((line) => line.split('\u001b[2K').at(-1))
        .filter((line) => line !== ''),
  };
}

test('on a terminal one line is redrawn with bar, time left, pace and metrics', () => {
  const { stream, now, pass, screen } = terminal(true);
  const progress = createProgress({ stream, now, intervalMilliseconds: 0 });
  progress.startEpoch({ epoch: 2, epochs: 10, steps: 100 });
  pass(5000);
  progress.step(25, { loss: 0.53219, accuracy: 0.8 });
  expect(screen()).toEqual([
    'Epoch  2/10 ━━━━━━──────────────────  25% 25/100 · 15 s left · 200 ms/step · loss 0.5322 · accuracy 0.8',
  ]);
  pass(15_000);
  progress.step(100, { loss: 0.5 });
  progress.endEpoch({ loss: 0.5, val_loss: Number.NaN });
  expect(screen()).toEqual([
    'Epoch  2/10 ━━━━━━━━━━━━━━━━━━━━━━━━ 100% 100/100 · 20 s · 200 ms/step · loss 0.5 · val_loss NaN',
  ]);
});

test('redraws no more often than asked', () => {
  const { stream, now, pass, text } = terminal(true);
  const progress = createProgress({ stream, now, intervalMilliseconds: 100 });
  progress.startEpoch({ epoch: 1, epochs: 1, steps: 1000 });
  for (let step = 1; step <= 1000; step++) {
    pass(1);
    progress.step(step, { loss: 1 });
  }
  expect(text().match(/\r/g)).toHaveLength(10);
});

test('never wraps on a narrow terminal', () => {
  const { stream, now, pass, screen } = terminal(true, 60);
  const progress = createProgress({ stream, now, intervalMilliseconds: 0 });
  progress.startEpoch({ epoch: 1, epochs: 1, steps: 10 });
  pass(100);
  progress.step(5, { loss: 0.1, accuracy: 0.2, precision: 0.3 });
  expect(screen()[0]?.length).toBeLessThan(60);
});

test('elsewhere there is one plain line an epoch', () => {
  const { stream, now, pass, text } = terminal(false);
  const progress = createProgress({ stream, now });
  progress.startEpoch({ epoch: 1, epochs: 3 });
  for (let step = 1; step <= 4; step++) {
    pass(500);
    progress.step(step, { loss: 1 });
  }
  progress.endEpoch({ loss: 0.25 });
  progress.stop();
  expect(text()).toBe('Epoch 1/3 · 4 steps · 2.0 s · 500 ms/step · loss 0.25\n');
});

test('silent writes nothing, and stopping early ends the line once', () => {
  const quiet = terminal(true);
  const silent = createProgress({ stream: quiet.stream, style: 'silent' });
  silent.startEpoch({ epoch: 1, epochs: 1 });
  silent.step(1, {});
  expect(quiet.text()).toBe('');
  const loud = terminal(true);
  const progress = createProgress({ stream: loud.stream, now: loud.now });
  progress.startEpoch({ epoch: 1, epochs: 1 });
  progress.step(1, {});
  progress.stop();
  progress.stop();
  expect(loud.text().match(/\n/g)).toHaveLength(1);
});

test('durations are words', () => {
  expect([850, 4700, 12_000, 200_000, 7_500_000].map(formatDuration)).toEqual([
    '850 ms',
    '4.7 s',
    '12 s',
    '3 min 20 s',
    '2 h 5 min',
  ]);
});
