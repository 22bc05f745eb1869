import type { Backend, Model } from '@modelwright/core';
import { type Digits, fetchDigits, pick } from './digits.js';
import { element } from './elements.js';
import { LossChart } from './loss-chart.js';
import type { NetworkKind } from './networks.js';

const batchSize = 32;
const judgedDigits = 500;

export interface TrainingPanelOptions {
  readonly backend: () => Backend | undefined;
  /** Told when training begins and ends. */
  readonly busy: (on: boolean) => void;
  readonly report: (error: unknown) => void;
  readonly trained: (model: Model) => Promise<void>;
}

/** The part of the page that trains. Its code for training is loaded with the first training. */
export class TrainingPanel {
  readonly #options: TrainingPanelOptions;
  readonly #chart = new LossChart(element('chart'));
  readonly #button = element<HTMLButtonElement>('train');
  #heldOut: Digits | undefined;
  #running: AbortController | undefined;

  constructor(options: TrainingPanelOptions) {
    this.#options = options;
    element<HTMLFormElement>('training').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#running) this.#running.abort();
      else void this.#train(new FormData(event.target as HTMLFormElement));
    });
  }

  /** Digits to judge by after each epoch. */
  judgeBy(digits: Digits): void {
    this.#heldOut = pick(
      digits,
      Array.from({ length: judgedDigits }, (_, index) => index),
    );
  }

  async #train(form: FormData): Promise<void> {
    const backend = this.#options.backend();
    if (backend === undefined) return;
    const [count, epochs] = [Number(form.get('count')), Number(form.get('epochs'))];
    this.#running = new AbortController();
    this.#begin(epochs * Math.floor(count / batchSize));
    try {
      const [{ trainDigits }, digits] = await Promise.all([import('./train-digits.js'), fetchDigits('training')]);
      let last = performance.now();
      const model = await trainDigits({
        backend,
        network: form.get('network') as NetworkKind,
        digits: pick(
          digits,
          Array.from({ length: count }, (_, index) => index),
        ),
        epochs,
        batchSize,
        signal: this.#running.signal,
        onStep: (step, loss) => {
          const now = performance.now();
          this.#showStep(step, loss, now - last);
          last = now;
        },
        judge: this.#heldOut,
        onEpoch: (accuracy) => {
          element('accuracy').textContent = `${(100 * accuracy).toFixed(1)} %`;
          last = performance.now();
        },
      });
      this.#offer(model);
      await this.#options.trained(model);
    } catch (error) {
      this.#options.report(error);
    } finally {
      this.#end();
    }
  }

  #begin(steps: number): void {
    this.#options.busy(true);
    this.#chart.reset(steps);
    document.body.dataset['training'] = 'running';
    for (const id of ['step', 'loss', 'accuracy', 'pace']) element(id).textContent = '–';
    this.#button.textContent = 'Stop';
    this.#button.classList.remove('primary');
  }

  #showStep(step: number, loss: number, milliseconds: number): void {
    this.#chart.add(loss);
    element('step').textContent = String(step);
    element('loss').textContent = loss.toFixed(4);
    element('pace').textContent = `${milliseconds.toFixed(0)} ms`;
  }

  #end(): void {
    this.#running = undefined;
    this.#options.busy(false);
    this.#button.textContent = 'Train';
    this.#button.classList.add('primary');
    document.body.dataset['training'] = 'done';
  }

  #offer(model: Model): void {
    const download = element<HTMLButtonElement>('download');
    download.hidden = false;
    download.onclick = async () => {
      const { writeOnnx } = await import('./write-model.js');
      const url = URL.createObjectURL(new Blob([writeOnnx(model).bytes as Uint8Array<ArrayBuffer>]));
      Object.assign(document.createElement('a'), { href: url, download: `${model.name}.onnx` }).click();
      URL.revokeObjectURL(url);
    };
  }
}
