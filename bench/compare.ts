import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, type MakeContender, type Phase, phases, quoted, type Subject } from './contender.ts';
import { type Measured, measure } from './measure.ts';
import { treeStats } from './trees.ts';

/** One contender's figures of one phase, one per run, in the order of the runs. */
interface Figures {
  readonly contender: string;
  readonly phase: Phase;
  readonly wallMs: number[];
  readonly cpuMs: number[];
  readonly peakBytes: number[];
}

export interface Comparison {
  readonly subject: Subject;
  readonly contenders: readonly string[];
  readonly figures: readonly Figures[];
  /** What the repository held after the first backup and after the change, in bytes, one per run. */
  readonly stored: ReadonlyArray<{ readonly contender: string; readonly first: number[]; readonly changed: number[] }>;
}

export interface CompareOptions {
  readonly subject: Subject;
  readonly make: readonly MakeContender[];
  readonly runs: number;
  readonly work: string;
  /** Changes 1 % of the subject. */
  readonly change: (round: number) => Promise<void>;
  /** An empty place for a restore: a folder or the URL of a database. */
  readonly emptyTarget: (name: string) => Promise<string>;
  readonly removeTarget: (target: string) => Promise<void>;
  /** Throws when what `target` holds is not what the subject holds. */
  readonly compareTarget: (contender: Contender, target: string) => Promise<void>;
  readonly say: (line: string) => void;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
}

/**
 * Runs every phase with all contenders in turn before the next phase (A B C, then B C A …), so that a slow minute of the
 * machine falls on all of them, and ratios are taken within a run. Everything starts from empty repositories in each run.
 */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const { subject, runs, work } = options;
  const figures = new Map<string, Figures>();
  const stored = new Map<string, { contender: string; first: number[]; changed: number[] }>();
  let names: string[] = [];

  for (let run = 0; run < runs; run++) {
    const contenders = options.make.map((make, at) => make(subject, join(work, `run-${run}`, String(at))));
    names = contenders.map((contender) => contender.name);
    for (const contender of contenders) await contender.prepare();
    for (const phase of phases) {
      if (phase === 'after 1 % change') await options.change(run);
      for (const contender of rotated(contenders, run)) {
        settle();
        const target = phase === 'restore' ? await options.emptyTarget(`${contender.name}-${run}`) : '';
        const measured = await measure(contender.command(phase, target), options.signal);
        record(figures, contender.name, phase, measured);
        options.say(`  run ${run + 1}: ${phase}, ${contender.name}: ${(measured.wallMs / 1000).toFixed(2)} s`);
        if (phase === 'restore') {
          if (run === 0) await options.compareTarget(contender, target);
          await options.removeTarget(target);
        }
        const seen = stored.get(contender.name) ?? { contender: contender.name, first: [], changed: [] };
        stored.set(contender.name, seen);
        if (phase === 'first backup') seen.first.push((await treeStats(contender.repository)).bytes);
        if (phase === 'after 1 % change') seen.changed.push((await treeStats(contender.repository)).bytes);
      }
    }
    rmSync(join(work, `run-${run}`), { recursive: true, force: true });
  }
  return { subject, contenders: names, figures: [...figures.values()], stored: [...stored.values()] };
}

function record(figures: Map<string, Figures>, contender: string, phase: Phase, measured: Measured): void {
  const key = `${contender}/${phase}`;
  const found = figures.get(key) ?? { contender, phase, wallMs: [], cpuMs: [], peakBytes: [] };
  figures.set(key, found);
  found.wallMs.push(measured.wallMs);
  found.cpuMs.push(measured.cpuMs);
  found.peakBytes.push(measured.peakBytes);
}

/** What one contender left unwritten is not the next one's burden. */
function settle(): void {
  execFileSync('sync');
}

function rotated<T>(some: readonly T[], by: number): T[] {
  const at = by % some.length;
  return [...some.slice(at), ...some.slice(0, at)];
}

/** Places and comparisons for trees. */
export function folderTargets(subject: Subject, work: string) {
  return {
    async emptyTarget(name: string) {
      const target = join(work, 'restored', name.replace(/[^\w.-]/g, '-'));
      mkdirSync(target, { recursive: true });
      return target;
    },
    async removeTarget(target: string) {
      rmSync(target, { recursive: true, force: true });
    },
    async compareTarget(contender: Contender, target: string) {
      const line = `diff --recursive --brief --no-dereference ${quoted(subject.where)} ${quoted(contender.restoredAt(target))}`;
      await measure({ line });
    },
  };
}
