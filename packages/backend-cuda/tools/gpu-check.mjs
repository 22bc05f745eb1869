#!/usr/bin/env node
/**
 * Runs the conformance suite and a training benchmark on the GPU of this machine and writes a report:
 *
 *   node packages/backend-cuda/tools/gpu-check.mjs [report.md]
 *
 * It needs a checkout with its packages built (`npm run build`) and an NVIDIA GPU; without one the report says what is missing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchmarkTraining } from './benchmark-training.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reportPath = process.argv[2] ?? 'gpu-report.md';
const engines = ['onnxruntime', 'tensorflow'];

const sections = ['# GPU check', machine(), `## Training\n\n${await training()}`, `## Conformance\n\n${conformance()}`];
const report = `${sections.join('\n\n')}\n`;
writeFileSync(reportPath, report);
console.log(report);
console.log(`Written to ${reportPath}.`);

function machine() {
  const lines = [
    `- ${new Date().toISOString()}`,
    `- ${platform()}-${arch()} ${release()}, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model}`,
  ];
  const gpu = spawnSync('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'], {
    encoding: 'utf8',
  });
  lines.push(gpu.status === 0 ? `- ${gpu.stdout.trim()}` : '- nvidia-smi does not work here');
  return lines.join('\n');
}

async function training() {
  const { createBackend } = await import('../dist/index.js');
  const rows = ['| engine | steps a second | first loss | last loss |', '|---|---|---|---|'];
  const { createBackend: createOnnxRuntime } = await import('@modelwright/backend-onnxruntime');
  const backends = [
    ...engines.map((engine) => [`cuda, ${engine}`, () => createBackend({ engine, cpuFallback: false })]),
    [
      'cuda, onnxruntime without koffi',
      () => createOnnxRuntime({ device: 'cuda', engine: 'binding', cpuFallback: false }),
    ],
    ['cpu, onnxruntime', () => createOnnxRuntime()],
  ];
  for (const [name, create] of backends) {
    try {
      const backend = await create();
      const { stepsPerSecond, firstLoss, lastLoss } = await benchmarkTraining(backend);
      await backend.dispose();
      rows.push(`| ${name} | ${stepsPerSecond.toFixed(1)} | ${firstLoss.toFixed(5)} | ${lastLoss.toFixed(5)} |`);
    } catch (error) {
      const hint = error.details?.hint ? ` (${error.details.hint})` : '';
      rows.push(`| ${name} | – | ${error.message}${hint} | |`);
    }
  }
  return rows.join('\n');
}

function conformance() {
  const output = join(mkdtempSync(join(tmpdir(), 'gpu-check-')), 'results.json');
  const parameters = [
    'vitest',
    'run',
    '--root',
    root,
    'packages/backend-cuda',
    '--reporter=json',
    `--outputFile=${output}`,
  ];
  spawnSync('npx', parameters, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'ignore', 'inherit'] });
  const { testResults } = JSON.parse(readFileSync(output, 'utf8'));
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const count = (status) => tests.filter((test) => test.status === status).length;
  const failed = tests.filter((test) => test.status === 'failed');
  const lines = failed.map(({ fullName, failureMessages }) => `- ${fullName}: ${failureMessages[0]?.split('\n')[0]}`);
  const summary = `${count('passed')} passed, ${failed.length} failed, ${tests.length - count('passed') - failed.length} skipped`;
  return [summary, ...lines].join('\n');
}
