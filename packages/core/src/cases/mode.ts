import { floats, type OpCase, random } from './case.js';

/** Cases of the ops that depend on the mode; outside of training they pass their inference form. */
export const modeCases: readonly OpCase[] = [
  ...[[], [3], [2, 3]].map(
    (shape): OpCase => ({
      id: `mode/TrainingSwitch/[${shape}]`,
      op: 'TrainingSwitch',
      inputs: [floats(shape), floats(shape)],
      differentiable: [0, 1],
    }),
  ),
  ...[[], [3], [2, 3]].map(
    (shape): OpCase => ({
      id: `mode/TrackStatistic/[${shape}]`,
      op: 'TrackStatistic',
      inputs: [floats(shape), floats([2]), floats([2])],
      differentiable: [0, 1, 2],
    }),
  ),
  {
    id: 'mode/TrackStatistic/int64',
    op: 'TrackStatistic',
    inputs: [random('int64', [3]), random('int64', []), random('int64', [])],
  },
  { id: 'mode/TrainingSwitch/empty', op: 'TrainingSwitch', inputs: [floats([0, 2]), floats([0, 2])] },
  { id: 'mode/TrainingSwitch/int64', op: 'TrainingSwitch', inputs: [random('int64', [3]), random('int64', [3])] },
];
