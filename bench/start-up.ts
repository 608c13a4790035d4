import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Subject } from './contender.ts';
import { lifeboatContender } from './contenders/lifeboat.ts';
import { measure } from './measure.ts';
import { median } from './report.ts';
import { makeTree, treeStats } from './trees.ts';

const times = 20;
const lifeboat = join(import.meta.dirname, '../bin/lifeboat');

export interface StartUp {
  readonly what: string;
  readonly medianMs: number;
  readonly limitMs: number;
}

/** How long a person waits for `lifeboat --help` and for `lifeboat status` of a system with three restore points: medians of 20. */
export async function measureStartUp(work: string): Promise<StartUp[]> {
  const where = join(work, 'tree');
  makeTree('small', where, 4 << 20);
  const subject: Subject = { id: 'small', title: '', kind: 'files', where, ...(await treeStats(where)) };
  const us = lifeboatContender(subject, join(work, 'us'));
  await us.prepare();
  for (let point = 0; point < 3; point++) await measure(us.command('first backup', ''));

  const environment = { ...process.env, LIFEBOAT_STATE_DIR: join(work, 'us/state') };
  const status = ['--config', join(work, 'us/lifeboat.yaml'), 'status'];
  return [
    { what: 'help', limitMs: 100, medianMs: median(timesOf(['--help'], environment)) },
    { what: 'status', limitMs: 250, medianMs: median(timesOf(status, environment)) },
  ];
}

export function showStartUp(found: readonly StartUp[]): string {
  return found
    .map(
      ({ what, medianMs, limitMs }) => `${what.padEnd(8)}${medianMs.toFixed(0).padStart(6)} ms   (bar: ${limitMs} ms)`,
    )
    .join('\n');
}

function timesOf(words: readonly string[], environment: NodeJS.ProcessEnv): number[] {
  return Array.from({ length: times }, () => {
    const started = performance.now();
    const ended = spawnSync(lifeboat, words, { env: environment, encoding: 'utf8' });
    // Exit 1 is an answer too: nothing has been drilled yet.
    if (ended.status !== 0 && ended.status !== 1) throw new Error(`${words.join(' ')}: ${ended.stderr}`);
    return performance.now() - started;
  });
}
