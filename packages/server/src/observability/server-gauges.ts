import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { Gauge, type Registry } from 'prom-client';
import type { ModelIndexEntry, ModelStatistics } from '../contract/model-info.js';

/** What is so at the moment of asking: models and what waits for them, memory, load of the machine. */
export class ServerGauges {
  readonly #pendingTriton: Gauge<'model' | 'version'>;
  readonly #pending: Gauge<'model' | 'version'>;
  readonly #memory: Gauge<'model' | 'version'>;
  readonly #ready: Gauge<'model' | 'version'>;
  readonly #cpuUtilization: Gauge;
  readonly #memoryTotal: Gauge;
  readonly #memoryUsed: Gauge;
  #cpuBefore: CpuTimes = cpuTimes();

  constructor(registry: Registry) {
    const ofModel = (name: string, help: string): Gauge<'model' | 'version'> =>
      new Gauge({ name, help, labelNames: ['model', 'version'], registers: [registry] });
    const ofMachine = (name: string, help: string): Gauge => new Gauge({ name, help, registers: [registry] });
    this.#pendingTriton = ofModel('nv_inference_pending_request_count', 'Requests that wait to be run');
    this.#pending = ofModel('modelwright_pending_requests', 'Requests that wait to be run');
    this.#memory = ofModel('modelwright_model_memory_bytes', 'Bytes that a loaded version holds');
    this.#ready = ofModel('modelwright_model_ready', '1 if a version answers, else 0');
    this.#cpuUtilization = ofMachine('nv_cpu_utilization', 'Load of the machine’s processors, 0 to 1');
    this.#memoryTotal = ofMachine('nv_cpu_memory_total_bytes', 'Memory of the machine');
    this.#memoryUsed = ofMachine('nv_cpu_memory_used_bytes', 'Memory of the machine in use');
    new Gauge({ name: 'modelwright_cpus', help: 'Processors that may be used', registers: [registry] }).set(
      availableParallelism(),
    );
  }

  /** Looks anew. Models that are gone leave no series behind. */
  update(index: readonly ModelIndexEntry[], statistics: readonly ModelStatistics[]): void {
    for (const gauge of [this.#pendingTriton, this.#pending, this.#memory, this.#ready]) gauge.reset();
    for (const { name, version, state } of index) {
      if (version !== '') this.#ready.set({ model: name, version }, state === 'READY' ? 1 : 0);
    }
    for (const { name, version, pendingCount, memoryBytes } of statistics) {
      const labels = { model: name, version };
      this.#pendingTriton.set(labels, pendingCount);
      this.#pending.set(labels, pendingCount);
      this.#memory.set(labels, memoryBytes);
    }
    this.#memoryTotal.set(totalmem());
    this.#memoryUsed.set(totalmem() - freemem());
    this.#cpuUtilization.set(this.#cpuSinceLast());
  }

  #cpuSinceLast(): number {
    const now = cpuTimes();
    const { idle, all } = this.#cpuBefore;
    this.#cpuBefore = now;
    return now.all === all ? 0 : 1 - (now.idle - idle) / (now.all - all);
  }
}

interface CpuTimes {
  readonly idle: number;
  readonly all: number;
}

function cpuTimes(): CpuTimes {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, all };
}
