/**
 * How commands grow with a vault's history: a vault of as many restore points of small datasets as asked for, whose packs are holes of the
 * right size, and what each command that reads no contents takes of it, in time and memory. Twice the history must take about twice.
 * Run: bin/node bench/scale.ts --points 1000,2000,4000
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { hourMs, minuteMs } from '../src/core/duration.ts';
import { manifestKey, packKey } from '../src/vault/format/keys.ts';
import { sha256Hex } from '../src/vault/hash.ts';
import { plantVault } from '../test/support/plant-vault.ts';

const root = resolve(import.meta.dirname, '..');
const datasets = Array.from({ length: 20 }, (_, at) => `data-${at}`);
/** Of which each restore point has one that is new. */
const packsOfEach = 20;
const packBytes = 40_000;

const tellPeak =
  'data:text/javascript,process.on("exit",()=>{const r=process.resourceUsage();process.stderr.write("\\nTOOK "+(r.userCPUTime+r.systemCPUTime)+" "+r.maxRSS)})';

const { values } = parseArgs({ options: { points: { type: 'string', default: '1000,2000,4000' } } });

const commands = [
  ['list'],
  ['status'],
  ['keep', '--dry-run'],
  ['prune', '--dry-run', '--allow-large', '--allow-flood'],
];

console.log('| restore points | command | processor seconds | MB |\n| --- | --- | --- | --- |');
for (const count of values.points.split(',').map(Number)) {
  const folder = mkdtempSync(join(tmpdir(), 'lifeboat-scale-'));
  try {
    plant(folder, count);
    for (const words of commands) {
      const { seconds, peakBytes } = await measured(folder, words);
      console.log(`| ${count} | ${words[0]} | ${seconds.toFixed(1)} | ${Math.round(peakBytes / 1e6)} |`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function plant(folder: string, count: number): void {
  const store = join(folder, 'store');
  const vault = plantVault('scale', [store]);
  const startMs = Date.now() - hourMs - (count / datasets.length) * hourMs;
  const hole = (key: string, sizeBytes: number, timeMs: number) => {
    const file = join(store, key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
    truncateSync(file, sizeBytes);
    utimesSync(file, timeMs / 1000, timeMs / 1000);
  };
  mkdirSync(join(store, '.incoming'), { recursive: true });
  for (let at = 0; at < count; at++) {
    const dataset = datasets[at % datasets.length]!;
    const turn = Math.floor(at / datasets.length);
    const timeMs = startMs + turn * hourMs + (at % datasets.length) * minuteMs;
    const names = Array.from({ length: packsOfEach }, (_, back) => `${dataset} ${turn - back}`);
    const record = vault.point({ dataset, timeMs, packs: names.map((name) => [name, packBytes] as const) });
    hole(manifestKey(record.manifest[0]), record.manifest[1], timeMs);
    for (const name of turn === 0 ? names : names.slice(0, 1))
      hole(packKey(sha256Hex(Buffer.from(name))), packBytes, timeMs);
  }
  const lines = datasets.map((name) => `  ${name}: { type: files, path: ${name}, rpo: 1h, rto: 1h }`);
  writeFileSync(
    join(folder, 'lifeboat.yaml'),
    `version: 1\nsystem: scale\nvault: { recipients: [age1${'q'.repeat(58)}, age1${'p'.repeat(58)}] }\ndestinations: { store: { type: local, path: store } }\ndatasets:\n${lines.join('\n')}\n`,
  );
}

async function measured(folder: string, words: readonly string[]): Promise<{ seconds: number; peakBytes: number }> {
  const child = spawn(join(root, 'bin/node'), ['--import', tellPeak, join(root, 'src/main.ts'), ...words, '--json'], {
    cwd: folder,
    env: { ...process.env, LIFEBOAT_STATE_DIR: join(folder, 'state') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (bytes) => {
    said = (said + bytes).slice(-2000);
  });
  const [code] = await once(child, 'close');
  const took = /TOOK (\d+) (\d+)$/.exec(said);
  if (took === null || code === 2 || code === 64) throw new Error(`${words.join(' ')} ended with ${code}: ${said}`);
  return { seconds: Number(took[1]) / 1e6, peakBytes: Number(took[2]) * 1024 };
}
