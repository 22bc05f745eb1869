import {
  type CompileOptions,
  cancelTransposes,
  foldConstants,
  type Graph,
  ModelwrightError,
  type Pass,
  type Program,
  type RunQueue,
  runPasses,
  verify,
} from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import type { SessionOptions } from '../engine/engine.js';
import { lowerGraph } from '../lowering/lower-graph.js';
import type { LoweringTable } from '../lowering/lowering.js';
import type { NarrowedGraph } from '../lowering/webgpu/narrow-integers.js';
import type { Accelerator, AcceleratorSession, AcceleratorSessionOptions, Placed } from './accelerator.js';
import { type LoadedGraph, NarrowableGraph } from './loaded-graph.js';
import { planResidency, type ResidencyPlan } from './residency-plan.js';
import { ResidentExecutable } from './resident-executable.js';
import { ResidentState } from './resident-state.js';
import { scanSteps } from './scan-steps.js';
import { isScannable, type LoadedScan } from './scanned-runs.js';
import { steppedProgram } from './stepped-program.js';

/** What compiling for a device needs of its backend. */
export interface ResidentContext {
  readonly accelerator: Accelerator;
  readonly table: LoweringTable;
  /** What is done to a graph before it is lowered. */
  readonly passes: readonly Pass[];
  /** What is done to a lowered graph at last: int64 in int32, where that is exact. Default nothing. */
  readonly narrow?: (graph: Graph) => NarrowedGraph;
  /** Names of the nodes of a lowered graph that the device must not take. */
  readonly cpuNodesOf: (graph: Graph) => readonly string[];
  readonly sessionOptions: SessionOptions;
  /** The queue of the device. */
  readonly turns: RunQueue;
  readonly onClosed: (executable: ResidentExecutable) => void;
}

/** Compiles a program for a device that keeps its state. */
export async function compileResident(
  program: Program,
  options: CompileOptions,
  context: ResidentContext,
): Promise<ResidentExecutable> {
  const state = sharedStateOf(options) ?? new ResidentState(context.accelerator);
  const plan = planResidency(program);
  // Numbers that stay on the host may be of any type: a learning rate is float64.
  checkTypes(plan.graph, context.accelerator);
  state.attach(program.state);
  try {
    const loaded = await context.turns.add(() => load(plan, options, context));
    const isScanned = !context.accelerator.keepsTensors && isScannable({ program, plan });
    const loadScan = isScanned ? () => loadSteps({ program, plan }, options, context) : undefined;
    const parts = { program, plan, state, loaded, loadScan, turns: context.turns };
    const executable: ResidentExecutable = new ResidentExecutable(parts, () => context.onClosed(executable));
    return executable;
  } catch (error) {
    state.detach();
    throw error;
  }
}

function checkTypes(graph: Graph, { device, types }: Accelerator): void {
  const outputs = graph.outputs.map(({ name, value }) => ({ name, dtype: value.dtype }));
  for (const { name, dtype } of [...graph.inputs, ...outputs])
    if (!types.has(dtype))
      throw new ModelwrightError(
        'unsupported-dtype',
        `'${name}' of '${graph.name}' is ${dtype}, which ${device} lacks here`,
        {
          input: name,
          given: dtype,
          allowed: [...types],
        },
      );
}

function sharedStateOf({ shareState }: CompileOptions): ResidentState | undefined {
  if (shareState === undefined) return undefined;
  if (shareState instanceof ResidentExecutable) return shareState.state;
  throw new ModelwrightError('invalid-argument', 'state can be shared only with an executable of the same backend');
}

async function load(
  { graph, carried }: ResidencyPlan,
  options: CompileOptions,
  context: ResidentContext,
): Promise<NarrowableGraph | undefined> {
  if (graph.outputs.length === 0) return undefined;
  const lowered = lower(graph, options, context);
  const stays = new Set(carried.map(({ output }) => output));
  const { narrow, ...asItStands } = context;
  return new NarrowableGraph(await createSession(lowered, { graph, stays }, context), () =>
    createSession(lowered, { graph, stays }, asItStands),
  );
}

/** The same steps as one graph of many of them. Lowered before: what lowering notes of a graph ends at the border of a body. */
async function loadSteps(
  { program, plan }: { readonly program: Program; readonly plan: ResidencyPlan },
  options: CompileOptions,
  context: ResidentContext,
): Promise<LoadedScan> {
  const { graph, state } = steppedProgram(program, plan);
  const lowered = lower(graph, options, context);
  const outputs = new Map(graph.outputs.map(({ name }, index) => [name, `result.${index}`]));
  const renamed = state.map(({ output, ...slot }) =>
    output === undefined ? slot : { ...slot, output: outputs.get(output) as string },
  );
  const steps = scanSteps({ graph: lowered, state: renamed });
  if (options.debug) verify(steps.graph);
  const { session } = await createSession(steps.graph, { graph, stays: new Set() }, context);
  return { session, slots: new Map(state.map((slot) => [slot.input, slot])), ticks: steps.ticks };
}

/** The graph as the device takes it. Its outputs are named as those of no program are: unlike theirs, no value can bear such a name. */
function lower(graph: Graph, { debug }: CompileOptions, { passes, table }: ResidentContext): Graph {
  const renamed = { ...graph, outputs: graph.outputs.map(({ value }, index) => ({ name: `result.${index}`, value })) };
  const lowered = runPasses(lowerGraph(runPasses(renamed, passes), table), [foldConstants, cancelTransposes]);
  if (debug) verify(lowered);
  return lowered;
}

/** Loads a lowered graph; its session goes by the names of the graph it was made from. */
async function createSession(
  lowered: Graph,
  { graph, stays }: { readonly graph: Graph; readonly stays: ReadonlySet<string | undefined> },
  { accelerator, cpuNodesOf, narrow, sessionOptions }: ResidentContext,
): Promise<LoadedGraph> {
  const onDevice = new Set(
    graph.outputs.flatMap(({ name, value }, index) =>
      stays.has(name) && accelerator.canHold(value) ? [`result.${index}`] : [],
    ),
  );
  const { graph: final, narrowed } = narrow?.(lowered) ?? { graph: lowered, narrowed: new Map() };
  const { bytes } = writeOnnx(final, { valueInfo: false, trainingMetadata: false });
  const options: AcceleratorSessionOptions = { onDevice, cpuNodes: cpuNodesOf(final), session: sessionOptions };
  const session = await accelerator.createSession(bytes, options);
  const names = graph.outputs.map(({ name }) => name);
  return { session: withNames(session, names), narrowed };
}

function withNames(session: AcceleratorSession, names: readonly string[]): AcceleratorSession {
  return {
    inputNames: session.inputNames,
    run: async (feeds) => {
      const results = await session.run(feeds);
      return new Map(names.map((name, index) => [name, results.get(`result.${index}`) as Placed]));
    },
    dispose: () => session.dispose(),
  };
}
