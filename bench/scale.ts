import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type History, plantHistory, soundPart, stateOf } from './scale-vault.ts';

/** How commands grow with a vault's history. Those of a tenth come first: ten times the history must take about ten times. */
const histories: ReadonlyArray<readonly [title: string, History]> = [0.1, 1].flatMap((share) => [
  [
    `${share * 10_000} restore points of ${share * 1_000_000} packs`,
    { points: share * 10_000, datasets: 20, packs: share * 50_000 - share * 2500, fresh: 5, packBytes: 16 << 20 },
  ] as const,
  [
    `${share * 100_000} restore points of small datasets`,
    { points: share * 100_000, datasets: 20, packs: 20, fresh: 1, packBytes: 40_000 },
  ] as const,
]);

const root = resolve(import.meta.dirname, '..');
const main = join(root, 'src/main.ts');

/** Loaded before the command: says at its end what it took, and how much processor time at most passed in which it heard no signal. */
const tellTaken = `data:text/javascript,
const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
let [last, longest] = [cpuMs(), 0];
const look = () => {
  longest = Math.max(longest, cpuMs() - last);
  last = cpuMs();
};
setInterval(look, 5).unref();
process.on('exit', () => {
  look();
  const used = process.resourceUsage();
  process.stderr.write('\\nTOOK ' + [used.userCPUTime + used.systemCPUTime, used.maxRSS, Math.round(longest)].join(' '));
});`.replaceAll('\n', '%0A');

/** `keep` asks a place that locks: the same folder, with a lock on everything. */
const commands: ReadonlyArray<readonly [script: string, ...words: string[]]> = [
  [main, 'list'],
  [main, 'status'],
  [main, 'cost'],
  [main, 'backup'],
  [main, 'verify', '--part', `1/${soundPart}`],
  [join(root, 'bench/scale-keep.ts'), 'keep'],
  [main, 'prune', '--dry-run', '--allow-large', '--allow-flood'],
];

export interface Taken {
  readonly history: string;
  readonly command: string;
  readonly seconds: number;
  readonly peakBytes: number;
  /** The longest processor time in which it heard no signal. */
  readonly deafMs: number;
}

/** @param only the titles that contain it */
export async function measureScale(work: string, only: string, say: (line: string) => void, signal: AbortSignal) {
  const taken: Taken[] = [];
  for (const [history, shape] of histories.filter(([title]) => title.includes(only))) {
    const folder = join(work, 'scale');
    mkdirSync(folder);
    say(`${history}: planting …`);
    await plantHistory(folder, shape);
    // The first that is really made: the epoch, and the configuration. What is measured finds nothing changed.
    await measured(folder, [main, 'backup'], signal);
    for (const [script, ...words] of commands) {
      const one = { history, command: words[0]!, ...(await measured(folder, [script, ...words], signal)) };
      say(rowOf(one));
      taken.push(one);
    }
    rmSync(folder, { recursive: true });
  }
  return taken;
}

export function showScale(taken: readonly Taken[]): string {
  return [
    '| history | command | processor seconds | MB | deaf ms |',
    '| --- | --- | --- | --- | --- |',
    ...taken.map(rowOf),
  ].join('\n');
}

function rowOf({ history, command, seconds, peakBytes, deafMs }: Taken): string {
  return `| ${history} | \`${command}\` | ${seconds.toFixed(1)} | ${Math.round(peakBytes / 1e6)} | ${deafMs} |`;
}

async function measured(folder: string, words: readonly string[], signal: AbortSignal) {
  const child = spawn(join(root, 'bin/node'), ['--import', tellTaken, ...words, '--json'], {
    cwd: folder,
    env: { ...process.env, ...stateOf(folder) },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  });
  let said = '';
  child.stderr.on('data', (bytes) => {
    said = (said + bytes).slice(-2000);
  });
  const [code] = await once(child, 'close');
  const took = /TOOK (\d+) (\d+) (\d+)$/.exec(said);
  if (took === null || code === 2 || code === 64) throw new Error(`${words.join(' ')} ended with ${code}: ${said}`);
  return { seconds: Number(took[1]) / 1e6, peakBytes: Number(took[2]) * 1024, deafMs: Number(took[3]) };
}
