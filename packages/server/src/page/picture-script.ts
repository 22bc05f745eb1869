/** The part of the page's script that draws, takes pictures and sentences, and shows labels. */
export const pictureScript: string = `
/** One field for every picture and text that the model reads. */
function askExamples(form) {
  const fields = Object.entries(state.metadata.processing.inputs).map(([name, input]) => {
    form.append(element('label', { htmlFor: 'input-' + name, textContent: name }));
    return [name, input.kind === 'image' ? pictureField(form, name, input) : textField(form, name)];
  });
  form.append(runButton('Run'));
  onSubmit(form, async () => {
    const values = await Promise.all(fields.map(async ([name, read]) => [name, await read()]));
    const body = { examples: [Object.fromEntries(values)] };
    const path = modelPath(state.metadata.name) + '/predict';
    showCommand(path, body);
    const { predictions } = await (await ask(path, body)).json();
    byId('answer').replaceChildren(...Object.entries(predictions[0]).flatMap(showPrediction));
  });
}

function textField(form, name) {
  const field = element('textarea', { id: 'input-' + name });
  form.append(field);
  return async () => field.value;
}

/** A canvas to draw on, which a file, a drop or a paste fills. */
function pictureField(form, name, input) {
  const scale = Math.max(1, Math.floor(280 / Math.max(input.width, input.height)));
  const canvas = element('canvas', { id: 'input-' + name, width: input.width * scale, height: input.height * scale });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const [paper, ink] = input.invert ? ['#fff', '#000'] : ['#000', '#fff'];
  let chosen;
  const clear = () => {
    chosen = undefined;
    context.fillStyle = paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  const take = async (file) => {
    if (!file) return;
    const picture = await createImageBitmap(file).catch(() => undefined);
    if (!picture) return say('This is not a picture.', true);
    clear();
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    chosen = file;
  };
  drawOn(canvas, context, ink, () => { chosen = undefined; });
  canvas.ondragover = (event) => event.preventDefault();
  canvas.ondrop = (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); };
  document.onpaste = (event) => take(event.clipboardData.files[0]);
  const file = element('input', { type: 'file', accept: 'image/png,image/jpeg', ariaLabel: 'Picture for ' + name });
  file.onchange = () => take(file.files[0]);
  form.append(canvas, element('div', { className: 'row' },
    element('button', { type: 'button', textContent: 'Clear', onclick: clear }), file));
  clear();
  return async () => ({ b64: await toBase64(chosen || await new Promise((done) => canvas.toBlob(done, 'image/png'))) });
}

function drawOn(canvas, context, ink, onDraw) {
  let last;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
  };
  const stroke = (event) => {
    const next = place(event);
    context.strokeStyle = ink;
    context.lineWidth = canvas.width / 14;
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(...(last || next));
    context.lineTo(...next);
    context.stroke();
    last = next;
    onDraw();
  };
  canvas.onpointerdown = (event) => { last = undefined; canvas.setPointerCapture(event.pointerId); stroke(event); };
  canvas.onpointermove = (event) => { if (event.buttons & 1) stroke(event); };
}

async function toBase64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function showPrediction([name, value]) {
  const title = element('h2', { textContent: name });
  const isLabels = Array.isArray(value) && value.every((entry) => entry && typeof entry.label === 'string');
  if (!isLabels) return [title, element('pre', { textContent: JSON.stringify(value) })];
  const rows = value.map(({ label, score }) => element('tr', {},
    element('td', { textContent: label }),
    element('td', {}, element('progress', { max: 1, value: Math.min(1, Math.max(0, score)) })),
    element('td', { textContent: score.toFixed(4) })));
  return [title, element('table', {}, element('tbody', {}, ...rows))];
}
`;
