/** The part of the page's script that streams the texts of models that write. */
export const generationScript: string = String.raw`
function askText(form) {
  const prompt = element('textarea', { id: 'prompt' });
  const most = element('input', { id: 'most', type: 'number', min: 1, max: 4096, value: 64 });
  const temperature = element('input', { id: 'temperature', type: 'number', min: 0, max: 2, step: 0.1, value: 1 });
  form.append(
    element('label', { htmlFor: 'prompt', textContent: 'Text to go on with' }), prompt,
    element('div', { className: 'row' },
      element('label', { htmlFor: 'most', textContent: 'Tokens' }), most,
      element('label', { htmlFor: 'temperature', textContent: 'Temperature' }), temperature),
    element('div', { className: 'row' }, runButton('Write'),
      element('button', { type: 'button', textContent: 'Stop', onclick: () => state.stop && state.stop.abort() })));
  onSubmit(form, async () => {
    const output = element('pre', {});
    byId('answer').replaceChildren(output);
    state.stop = new AbortController();
    const body = {
      model: state.metadata.name,
      prompt: prompt.value,
      max_tokens: Number(most.value),
      temperature: Number(temperature.value),
      stream: true,
    };
    showCommand('v1/completions', body);
    const response = await ask('v1/completions', body, state.stop.signal);
    try {
      for await (const piece of eventsOf(response)) {
        if (piece.error) throw new Error(piece.error.message);
        output.textContent += piece.choices.map((choice) => choice.text).join('');
      }
    } catch (error) {
      if (error.name !== 'AbortError') throw error;
    }
  });
}

/** The data of a stream of server-sent events, until it says that it is done. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data:')) continue;
      const data = line.slice(5).trim();
      if (data === '[DONE]') return;
      yield JSON.parse(data);
    }
  }
}
`;
