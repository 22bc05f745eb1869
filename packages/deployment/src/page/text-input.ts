/// <reference lib="dom" />
import { element } from './elements.js';
import type { InputView } from './input-view.js';

const pauseMilliseconds = 150;

/** A place to write in; what is written is read when the pen rests. */
export function textInput(name: string, onChange: () => void): InputView {
  const area = element('textarea', { id: `input-${name}`, rows: 5, placeholder: 'Write something' });
  let timer: ReturnType<typeof setTimeout> | undefined;
  area.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, pauseMilliseconds);
  });
  return {
    element: element('div', { className: 'text' }, area),
    value: async () => (area.value.trim() === '' ? undefined : { kind: 'raw', value: area.value }),
  };
}
