/**
 * Forecasts how many children will be born tomorrow from the births of the last four weeks, with recurrent networks, and
 * compares them with forecasts that need no network: as today, as a week ago, as on average on that day of the week.
 */
import { parseArgs } from 'node:util';
import { dense, gru, type Layer, lstm, sequential, simpleRnn } from '@modelwright/models';
import { adam, createTrainer, type Dataset, earlyStopping, timeseriesWindows } from '@modelwright/training';
import { loadBackend, type Tensor } from 'modelwright';
import { readBirths, type Span, yearsOf } from './births.js';
import { drawTable, errorsOf } from './errors.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '30' },
    window: { type: 'string', default: '28' },
    units: { type: 'string', default: '32' },
    backend: { type: 'string', default: 'onnxruntime' },
  },
});
const [epochs, window, units] = [values.epochs, values.window, values.units].map(Number) as [number, number, number];
const started = performance.now();

const days = readBirths();
const births = Float64Array.from(days, (day) => day.births);
const training: Span = { ...yearsOf(days, 1969, 1984), from: window };
const validation = yearsOf(days, 1985, 1985);
const held = yearsOf(days, 1986, 1988);
console.log(
  `${days.length} days of births in the United States; learning from ${training.to - training.from}, judged by the last ${held.to - held.from}.\n`,
);

// Scaled by what the years of training show; a network learns by how much tomorrow differs from the same day a week before.
const mean = average(births.subarray(0, training.to));
const deviation = Math.sqrt(average(births.subarray(0, training.to).map((each) => (each - mean) ** 2)));
const scaled = Float32Array.from(births, (each) => (each - mean) / deviation);
const change = Float32Array.from(scaled, (each, day) => each - (scaled[day - 7] ?? 0));

function windowsBefore({ from, to }: Span): Dataset {
  return timeseriesWindows({
    data: { data: scaled, shape: [scaled.length, 1] },
    targets: { data: change.slice(window), shape: [change.length - window, 1] },
    sequenceLength: window,
    startIndex: from - window,
    endIndex: to - 1,
  });
}

const backend = await loadBackend(values.backend);

async function forecast(layer: Layer): Promise<Float64Array> {
  const model = sequential({
    inputShape: [window, 1],
    layers: [layer, dense({ units: 1, kernelInitializer: 'zeros' })],
  });
  const trainer = await createTrainer(model, {
    backend,
    optimizer: adam({ learningRate: 0.005 }),
    loss: 'meanAbsoluteError',
    seed: 1,
  });
  await trainer.fit(windowsBefore(training), {
    epochs,
    batchSize: 128,
    validationData: windowsBefore(validation),
    validationBatchSize: 128,
    callbacks: [earlyStopping({ monitor: 'val_loss', patience: 5, restoreBestWeights: true })],
    verbose: 0,
  });
  const { output } = await trainer.predict(windowsBefore(held), { batchSize: 128 });
  await trainer.dispose();
  return Float64Array.from((output as Tensor).data as Float32Array, (each, day) => {
    const weekBefore = births[held.from + day - 7] as number;
    return weekBefore + each * deviation;
  });
}

const actual = births.subarray(held.from, held.to);
const from = (days: number): Float64Array => births.slice(held.from - days, held.to - days);
const sameWeekday = actual.map((_, day) =>
  average([7, 14, 21, 28].map((back) => births[held.from + day - back] as number)),
);
const rows: { name: string; forecasts: ArrayLike<number> }[] = [
  { name: 'naive: as the day before', forecasts: from(1) },
  { name: 'as a week before', forecasts: from(7) },
  { name: 'mean of that weekday, four weeks', forecasts: sameWeekday },
];
const networks: readonly (readonly [string, Layer])[] = [
  [`simpleRnn(${units})`, simpleRnn({ units })],
  [`gru(${units})`, gru({ units })],
  [`lstm(${units})`, lstm({ units })],
];
for (const [name, layer] of networks) {
  process.stdout.write(`Training ${name} … `);
  const before = performance.now();
  rows.push({ name, forecasts: await forecast(layer) });
  console.log(`${((performance.now() - before) / 1000).toFixed(1)} s`);
}
await backend.dispose();

console.log(
  `\nErrors of the forecast for the next day, ${actual.length} days, in births (there are ${average(actual).toFixed(0)} a day):\n`,
);
const judged = rows.map(({ name, forecasts }) => ({ name, errors: errorsOf(forecasts, actual) }));
console.log(drawTable(judged));
console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(0)} s.`);

const [naive] = judged;
const worst = Math.max(...judged.slice(-networks.length).map(({ errors }) => errors.absolute));
if (!(worst < (naive?.errors.absolute ?? 0))) {
  console.error('A network forecasts no better than "as the day before".');
  process.exitCode = 1;
}

function average(numbers: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < numbers.length; index++) sum += numbers[index] as number;
  return sum / numbers.length;
}
