import { generationScript } from './generation-script.js';
import { pictureScript } from './picture-script.js';

/** What the page does: plain JavaScript of a browser, no framework, nothing from elsewhere. The key stays in memory, never in storage. */
const frameScript: string = String.raw`'use strict';
const byId = (id) => document.getElementById(id);
const state = { key: '', metadata: undefined, stop: undefined };

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function say(text, isWrong) {
  const status = byId('status');
  status.textContent = text;
  status.className = isWrong ? 'wrong' : '';
}

function headers(type) {
  const all = {};
  if (type) all['content-type'] = type;
  if (state.key) all.authorization = 'Bearer ' + state.key;
  return all;
}

async function request(path, init) {
  const response = await fetch(path, init);
  if (response.ok) return response;
  if (response.status === 401) byId('access').hidden = false;
  const body = await response.json().catch(() => ({}));
  const error = body.error;
  throw new Error((error && error.message) || error || 'the server answered ' + response.status);
}

async function ask(path, body, signal) {
  const init = body === undefined
    ? { headers: headers() }
    : { method: 'POST', headers: headers('application/json'), body: JSON.stringify(body), signal };
  return request(path, init);
}

function modelPath(name) {
  return 'v2/models/' + encodeURIComponent(name);
}

async function connect() {
  try {
    const index = await (await ask('v2/repository/index', { ready: true })).json();
    const names = [...new Set(index.map((entry) => entry.name))];
    byId('model').replaceChildren(...names.map((name) => element('option', { value: name, textContent: name })));
    byId('choice').hidden = names.length === 0;
    byId('question').hidden = true;
    if (names.length === 0) return say('No model is ready that you may use.');
    say('');
    await choose(names[0]);
  } catch (error) {
    say(error.message, true);
  }
}

async function choose(name) {
  byId('answer').replaceChildren();
  byId('command').hidden = true;
  try {
    state.metadata = await (await ask(modelPath(name))).json();
    const shapes = (tensors) => tensors.map((t) => t.name + ' ' + t.datatype + ' [' + t.shape.join(', ') + ']').join(', ');
    byId('facts').textContent =
      shapes(state.metadata.inputs) + ' → ' + shapes(state.metadata.outputs) + ' · sha256 ' + state.metadata.sha256;
    const { abilities } = state.metadata;
    const show = abilities.generates ? askText : abilities.takes_raw_inputs ? askExamples : askNumbers;
    byId('question').replaceChildren();
    show(byId('question'));
    byId('question').hidden = false;
    say('');
  } catch (error) {
    say(error.message, true);
  }
}

function runButton(label) {
  return element('button', { className: 'run', type: 'submit', textContent: label });
}

function onSubmit(form, run) {
  form.onsubmit = async (event) => {
    event.preventDefault();
    say('Running…');
    const start = performance.now();
    try {
      await run();
      say('Answered in ' + (performance.now() - start).toFixed(1) + ' ms.');
    } catch (error) {
      say(error.message, true);
    }
  };
}

function showCommand(path, body) {
  const key = state.key ? " -H \"authorization: Bearer $KEY\"" : '';
  const data = JSON.stringify(body).replaceAll("'", "'\\''");
  byId('command').hidden = false;
  byId('command').querySelector('pre').textContent =
    'curl' + key + " -H 'content-type: application/json' " + new URL(path, location.href).href + " -d '" + data + "'";
}

/** Numbers (and texts) as JSON, one field an input. */
function askNumbers(form) {
  const fields = state.metadata.inputs.map((input) => {
    const shape = input.shape.map((extent) => (extent < 0 ? 1 : extent));
    const count = shape.reduce((product, extent) => product * extent, 1);
    const value = input.datatype === 'BYTES' ? '' : input.datatype === 'BOOL' ? false : 0;
    const id = 'input-' + input.name;
    const field = element('textarea', { id, spellcheck: false, value: count > 4096 ? '[]' : JSON.stringify(nest(Array(count).fill(value), shape)) });
    form.append(element('label', { htmlFor: id, textContent: input.name + ' ' + input.datatype + ' [' + input.shape.join(', ') + ']' }), field);
    return { input, field };
  });
  form.append(runButton('Run'));
  onSubmit(form, async () => {
    const inputs = fields.map(({ input, field }) => {
      let data;
      try { data = JSON.parse(field.value); } catch { throw new Error(input.name + ': this is not JSON'); }
      return { name: input.name, datatype: input.datatype, shape: shapeOf(data), data: [data].flat(Infinity) };
    });
    const path = modelPath(state.metadata.name) + '/infer';
    showCommand(path, { inputs });
    const { outputs } = await (await ask(path, { inputs })).json();
    byId('answer').replaceChildren(...outputs.flatMap((output) => [
      element('h2', { textContent: output.name + ' [' + output.shape.join(', ') + ']' }),
      element('pre', { textContent: JSON.stringify(nest(output.data, output.shape)) }),
    ]));
  });
}

function shapeOf(data) {
  const shape = [];
  for (let level = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  return shape;
}

function nest(data, shape) {
  if (shape.length === 0) return data[0];
  if (shape.length === 1) return data;
  const size = shape.slice(1).reduce((product, extent) => product * extent, 1);
  return Array.from({ length: shape[0] }, (_, row) => nest(data.slice(row * size, (row + 1) * size), shape.slice(1)));
}
`;

const startScript: string = `
byId('access').onsubmit = (event) => {
  event.preventDefault();
  state.key = byId('key').value.trim();
  byId('key').value = '';
  connect();
};
byId('model').onchange = (event) => choose(event.target.value);
connect();
`;

/** The page's script. */
export const pageScript: string = [frameScript, pictureScript, generationScript, startScript].join('');
