import { type CompileOptions, type Graph, ModelwrightError, type Program, type Value, verify } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { isExchanged } from './engine/element-type.js';
import type { Engine, SessionOptions } from './engine/engine.js';
import { type ExecutableParts, OrtExecutable } from './executable/ort-executable.js';
import { RuntimeGraph } from './executable/runtime-graph.js';
import { threadCountFor } from './executable/thread-count.js';
import { UpdatePasses } from './executable/update-passes.js';
import { blockConvolutions, hasCarriedWeights } from './lowering/blocked/block-convolutions.js';
import { probeBlock } from './lowering/blocked/probe-block.js';
import { lowerGraph } from './lowering/lower-graph.js';
import { poolBeforeRelu } from './lowering/pool-before-relu.js';
import { HostMemory, type Region, type RegionType, regionBytes } from './memory/host-memory.js';
import { StateStore } from './memory/state-store.js';
import { type SplitProgram, splitProgram } from './split/split-program.js';
import { leastSharedElements, type PassTeam, passTeam } from './wasm/pass-team.js';

/** What compiling needs of its backend. */
export interface CompileContext {
  readonly engine: Engine;
  readonly sessionOptions: SessionOptions;
  /** WebAssembly memory that a program may take; 0 leaves updates in the graph. */
  readonly hostMemoryBytes: number;
  /** Threads that may work at once. */
  readonly threads: number;
  readonly onClosed: (executable: OrtExecutable) => void;
}

/** Compiles a program: cuts it, lowers the graph, loads it, and lays out memory. */
export async function compileProgram(
  program: Program,
  options: CompileOptions,
  context: CompileContext,
): Promise<OrtExecutable> {
  checkBorder(program, context.engine.kind);
  const store = sharedStoreOf(options) ?? createStore(program, context);
  const split = splitWithin(program, store);
  // In the queue of those who share the state: memory that grows renews every view, which no run may hold then.
  await store.queue.add(() => store.attach(program.state));
  try {
    const lowered = await lower(split.graph, context.engine);
    if (options.debug) verify(lowered);
    const runtime = await load(lowered, split, context);
    return await store.queue.add(() => assemble({ program, split, store, runtime }, context));
  } catch (error) {
    store.detach();
    throw error;
  }
}

/** Lays out memory and binds the passes to it. */
async function assemble(
  parts: Pick<ExecutableParts, 'program' | 'split' | 'store' | 'runtime'>,
  context: CompileContext,
): Promise<OrtExecutable> {
  const { split, store } = parts;
  store.memory.reserve(sizeOf(split));
  for (const { slot } of sparedStores(split)) store.slot(slot.name).reserveSpare();
  const regions = allocateRegions(split, store.memory);
  const find = (value: Value): Region => regions.get(value) as Region;
  const passes = await UpdatePasses.compile(split.passes, { store, find, openTeam: teamOf(context) });
  const executable: OrtExecutable = new OrtExecutable({ ...parts, passes, regions }, () =>
    context.onClosed(executable),
  );
  return executable;
}

/** Convolutions whose weights change from run to run take the runtime's blocked layout, which it gives constant ones by itself. */
async function lower(graph: Graph, engine: Engine): Promise<Graph> {
  if (!hasCarriedWeights(graph)) return lowerGraph(graph);
  const block = await probeBlock(engine);
  if (block === undefined) return lowerGraph(graph);
  // Before lowering, so that what stands between convolutions is known for what it is; after it for those that other ops become.
  return blockConvolutions(lowerGraph(blockConvolutions(poolBeforeRelu(graph), block)), block);
}

/** What enters or leaves must have an array in JavaScript; int4 may only live inside. */
function checkBorder({ graph }: Program, engine: Engine['kind']): void {
  const outputs = graph.outputs.map(({ name, value }) => ({ name, dtype: value.dtype }));
  for (const { name, dtype } of [...graph.inputs, ...outputs])
    if (!isExchanged(dtype, engine))
      throw new ModelwrightError(
        'unsupported-dtype',
        `'${name}' of '${graph.name}' is ${dtype}, which ONNX Runtime cannot exchange.`,
        {
          input: name,
          given: dtype,
        },
      );
}

function sharedStoreOf({ shareState }: CompileOptions): StateStore | undefined {
  if (shareState === undefined) return undefined;
  if (shareState instanceof OrtExecutable) return shareState.store;
  throw new ModelwrightError('invalid-argument', 'state can be shared only with an executable of the same backend');
}

/** A program without state needs WebAssembly memory only for random numbers. */
function createStore(program: Program, context: CompileContext): StateStore {
  const { engine, hostMemoryBytes } = context;
  const needsMemory = program.state.length > 0 || program.graph.nodes.some(({ op }) => op === 'CounterUniform');
  const stateElements = program.state.reduce((sum, { initial }) => sum + initial.elementCount, 0);
  const isShared = teamOf(context) !== undefined && stateElements >= leastSharedElements;
  return new StateStore(new HostMemory(engine, needsMemory ? hostMemoryBytes : 0, isShared));
}

/** More threads than this wait for memory, not for each other. */
const mostPassThreads = 4;

/** Opens the threads that share the work of the passes; `undefined` where there is to be one only. */
function teamOf({ engine: { startHelper }, threads }: CompileContext): (() => Promise<PassTeam>) | undefined {
  if (startHelper === undefined || threads < 2) return undefined;
  return () => passTeam(Math.min(threads, mostPassThreads) - 1, startHelper);
}

/** Leaves the update in the graph where WebAssembly memory cannot hold what the passes would work on. */
function splitWithin(program: Program, store: StateStore): SplitProgram {
  const split = splitProgram(program, { onHost: store.memory.wasm !== undefined });
  const stateBytes = program.state.reduce((sum, { initial }) => sum + regionBytes(initial), 0);
  if (store.memory.hasRoom(stateBytes + sizeOf(split))) return split;
  return splitProgram(program, { onHost: false });
}

async function load(
  graph: SplitProgram['graph'],
  split: SplitProgram,
  context: CompileContext,
): Promise<RuntimeGraph | undefined> {
  if (graph.outputs.length === 0) return undefined;
  const { bytes } = writeOnnx(graph, { valueInfo: false, trainingMetadata: false });
  const threads = threadCountFor(graph);
  const options = { ...(threads === undefined ? {} : { intraOpThreads: threads }), ...context.sessionOptions };
  const session = await context.engine.createSession(bytes, options);
  // Lowering may have dropped the last use of an input; the session then does not know it.
  const known = new Set(session.inputs.map(({ name }) => name));
  return new RuntimeGraph(
    context.engine,
    session,
    split.graph.inputs.filter(({ name }) => known.has(name)),
  );
}

/** Values that lie in memory of the host: what passes read, single numbers from the runtime, random numbers. */
function regionValues(split: SplitProgram): ReadonlySet<Value> {
  const made = new Set(split.graph.outputs.map(({ value }) => value));
  return new Set([
    ...split.passes.flatMap(({ arrays }) => arrays.flatMap((array) => (array.kind === 'value' ? [array.value] : []))),
    ...split.late.sources.map(({ value }) => value).filter((value) => made.has(value)),
    ...split.random.map(({ value }) => value),
  ]);
}

/** Bytes of what an executable needs besides the slots: second halves of slots, values that cross, scalars of passes. */
function sizeOf(split: SplitProgram): number {
  const scalars = split.passes.map((pass): RegionType => ({ dtype: 'float32', shape: [pass.scalars.length] }));
  const spares = sparedStores(split).map(({ slot }) => slot.initial);
  const types = [...spares, ...scalars, ...[...regionValues(split)].map(toRegionType)];
  return types.reduce((sum, type) => sum + regionBytes(type), 0);
}

/** Stores that need a second memory, since the runtime must not write what it still reads. */
function sparedStores({ runtimeStores }: SplitProgram): SplitProgram['runtimeStores'] {
  return runtimeStores.filter(({ isInPlace }) => !isInPlace);
}

function toRegionType({ dtype, shape }: Value): RegionType {
  return { dtype, shape: shape as readonly number[] };
}

function allocateRegions(split: SplitProgram, memory: HostMemory): ReadonlyMap<Value, Region> {
  const taken = new Map<number, number>();
  const constants = split.constants;
  const regions = new Map<Value, Region>();
  for (const value of regionValues(split)) {
    const constant = constants.get(value);
    // A constant keeps its content; all else is written anew in every run.
    const region =
      constant === undefined
        ? memory.allocateScratch(toRegionType(value), taken)
        : memory.allocate(toRegionType(value));
    if (constant !== undefined) region.write(constant);
    regions.set(value, region);
  }
  return regions;
}
