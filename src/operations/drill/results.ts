import type { CheckResult } from '../../core/checks.ts';
import type { Run } from '../../core/run.ts';
import { redactor } from '../../process/redact.ts';
import { engineOf } from '../../sources/engines.ts';
import { findingOf } from './faults.ts';
import type { Drill, Finding, Rehearsal } from './parts.ts';

/** What a result is about. */
export type About = Pick<CheckResult, 'id' | 'kind' | 'dataset'>;

/** Runs a check and records what it found, or what its error says. */
export async function conductCheck(
  rehearsal: Rehearsal,
  drill: Drill,
  about: About,
  work: () => Promise<Finding>,
  run: Run,
) {
  const began = run.clock.elapsed();
  let finding: Finding;
  try {
    finding = await work();
  } catch (error) {
    run.signal.throwIfAborted();
    finding = findingOf(error, 'an answer');
  }
  // What a bomb broke is not the backup's fault. What was found without anything inside stands.
  if (finding.verdict !== 'pass' && finding.verdict !== 'skip' && asksInside(about, drill)) {
    const hit = await drill.sandbox.limitHit();
    if (hit !== undefined) finding = findingOf(hit, 'an answer');
  }
  record(rehearsal, about, finding, run.clock.elapsed() - began, drill.secrets);
}

/** Whether something that runs in the sandbox has a say in it. */
function asksInside({ kind, dataset }: About, { parts }: Drill): boolean {
  if (kind === 'http' || kind === 'command') return true;
  const config = dataset === undefined ? undefined : parts.system.datasets[dataset];
  return config !== undefined && engineOf(config.type).rehearse !== undefined;
}

/** Who was refused something ran otherwise than in production, however right its answers were. */
export async function recordLimitHit(rehearsal: Rehearsal, { sandbox, secrets }: Drill): Promise<void> {
  const hit = await sandbox.limitHit();
  if (hit === undefined) return;
  const finding = findingOf(hit, 'no limit is hit');
  if (rehearsal.results.some(({ message }) => message === finding.message)) return;
  record(rehearsal, { id: 'limits', kind: 'restored' }, finding, 0, secrets);
}

/** Every text of a result goes through here, so that no secret gets into one. */
export function record(
  rehearsal: Rehearsal,
  about: About,
  finding: Finding,
  elapsedMs: number,
  secrets: ReadonlySet<string>,
): void {
  const { redact } = redactor([...secrets]);
  const { message, expected, actual } = finding;
  const words = { message: redact(message), expected: redact(expected), actual: redact(actual) };
  rehearsal.results.push({ ...about, ...finding, ...words, elapsedMs });
}

export async function timed<T>(rehearsal: Rehearsal, phase: string, work: () => Promise<T>): Promise<T> {
  const began = rehearsal.elapsed();
  try {
    return await work();
  } finally {
    rehearsal.phases.set(phase, (rehearsal.phases.get(phase) ?? 0) + rehearsal.elapsed() - began);
  }
}
