import { kubernetesName } from '../kubernetes/kubernetes-name.js';
import type { ManifestDraft } from '../target.js';

/** Versions that the app is written for. */
export const electronVersions = {
  electron: '^45.0.0',
  'electron-builder': '^26.0.0',
  'onnxruntime-node': '^1.30.0',
  koffi: '^3.3.4',
};

/** The project: what native code must not be packed into the archive is unpacked beside it. */
export function packageFile({ name, version, licence, generator }: ManifestDraft): string {
  const ours = `^${generator.split(' ')[1]}`;
  const { electron, koffi } = electronVersions;
  const project = {
    name: kubernetesName(name),
    version: `${version}.0.0`,
    private: true,
    license: licence,
    type: 'module',
    main: 'main.js',
    scripts: { start: 'electron .', pack: 'electron-builder --dir', verify: 'modelwright verify .' },
    dependencies: {
      '@modelwright/backend-onnxruntime': ours,
      '@modelwright/deployment': ours,
      koffi,
      'onnxruntime-node': electronVersions['onnxruntime-node'],
    },
    devDependencies: { electron, 'electron-builder': electronVersions['electron-builder'], modelwright: ours },
    build: {
      appId: `org.example.${kubernetesName(name)}`,
      asarUnpack: ['manifest.json', 'model/**', 'node_modules/onnxruntime-node/**', 'node_modules/koffi/**'],
    },
  };
  return `${JSON.stringify(project, null, 2)}\n`;
}

/** The app: a window without rights, and the process that the model runs in. */
export const mainFile: string = `import { fileURLToPath } from 'node:url';
import { app, BrowserWindow, ipcMain, utilityProcess } from 'electron';

const path = (file) => fileURLToPath(new URL(file, import.meta.url));

await app.whenReady();
const model = utilityProcess.fork(path('./model-process.js'));
const waiting = new Map();
let last = 0;
model.on('message', ({ id, answer, error }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(answer);
  else reject(new Error(error));
});
model.on('exit', (code) => {
  for (const { reject } of waiting.values()) reject(new Error(\`the model's process ended with \${code}\`));
  waiting.clear();
});
ipcMain.handle('classify', (event, example) =>
  new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    model.postMessage({ id: last, example });
  }),
);

const window = new BrowserWindow({
  width: 720,
  height: 560,
  webPreferences: { preload: path('./preload.cjs'), sandbox: true, contextIsolation: true, nodeIntegration: false },
});
await window.loadFile(path('./index.html'));
app.on('window-all-closed', () => app.quit());
`;

/** Loads the bundle, which proves itself, and answers what it is asked. */
export const modelFile: string = `import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { loadBundle } from '@modelwright/deployment';
import { folderSource } from '@modelwright/deployment/node';

// A packed app keeps the model beside the archive, see "asarUnpack" in package.json.
const folder = dirname(fileURLToPath(import.meta.url)).replace(/app\\.asar(?=$|[/\\\\])/, 'app.asar.unpacked');
const backend = await createBackend({ device: 'cpu' });
// Refused where a file is not that of the manifest, or the answers are not the golden ones.
const loading = loadBundle(folderSource(folder), { backend });

/** What the model says to a picture (bytes of a PNG or JPEG) or a text. */
export async function classify(example) {
  const [answer] = await (await loading).classify([example]);
  return answer;
}

process.parentPort?.on('message', async ({ data: { id, example } }) => {
  try {
    process.parentPort.postMessage({ id, answer: await classify(example) });
  } catch (error) {
    process.parentPort.postMessage({ id, error: error.message });
  }
});
`;

/** The only thing that a page can do. */
export const preloadFile: string = `const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('model', { classify: (example) => ipcRenderer.invoke('classify', example) });
`;

const takesText = ({ processing }: ManifestDraft): boolean =>
  Object.values(processing?.inputs ?? {}).some(({ kind }) => kind === 'text');

/** A page that allows nothing from elsewhere. */
export function indexFile(manifest: ManifestDraft): string {
  const input = takesText(manifest)
    ? '<textarea id="example" rows="4" cols="60"></textarea>'
    : '<input id="example" type="file" accept="image/png,image/jpeg">';
  return `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'">
  <title>${manifest.name}</title>
  <h1>${manifest.name}</h1>
  <p>${input}</p>
  <pre id="answer"></pre>
  <script src="renderer.js"></script>
</html>
`;
}

/** Asks for what was chosen or written. */
export function rendererFile(manifest: ManifestDraft): string {
  const read = takesText(manifest) ? 'input.value' : 'new Uint8Array(await input.files[0].arrayBuffer())';
  return `const input = document.getElementById('example');
const output = document.getElementById('answer');

input.addEventListener('change', async () => {
  try {
    output.textContent = JSON.stringify(await window.model.classify(${read}), null, 2);
  } catch (error) {
    output.textContent = error.message;
  }
});
`;
}

/** What to know of models in Electron. */
export function readmeFile({ name }: ManifestDraft): string {
  return `# ${name} in Electron

    npm install
    npm start          the app
    npm run verify     the model's proof, without the app
    npm run pack       an app to hand out, by electron-builder

- \`model-process.js\` runs in a utility process: windows stay smooth, and a crash of native code does not take the app along. It loads
  \`@modelwright/backend-onnxruntime\` with \`onnxruntime-node\`, whose binaries fit Electron as they are (Node-API), without a rebuild.
- Native libraries cannot be loaded out of the archive: \`asarUnpack\` in \`package.json\` keeps \`onnxruntime-node\`, \`koffi\` and the
  model beside it.
- Pages have no Node and no network; \`preload.cjs\` gives them \`model.classify\` and nothing else.
- Graphics cards: \`createBackend({ device: 'webgpu' })\`, or \`'cuda'\` where its libraries are installed.
- Without native code: target \`web\` makes a page that runs in a window as it does in a browser.
`;
}
