import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** Everything that a reader needs to judge the figures. */
export interface Conditions {
  readonly when: string;
  readonly cpu: string;
  readonly cores: number;
  /** Load average of the last minute when the bench began. */
  readonly load: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly versions: Readonly<Record<string, string>>;
  /** The file system of the working folder. */
  readonly fileSystem: string;
}

export function readConditions(work: string, programs: readonly string[]): Conditions {
  const versions = programs.map((program) => [program, versionOf(program)]);
  return {
    when: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    load: loadavg()[0] ?? 0,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    commit: firstLine('git', ['-C', import.meta.dirname, 'describe', '--always', '--dirty']),
    versions: Object.fromEntries(versions),
    fileSystem: firstLine('stat', ['--file-system', '--format=%T', work]),
  };
}

function versionOf(program: string): string {
  const line = firstLine(program, [program === 'restic' ? 'version' : '--version']);
  // age prints nothing but the number.
  return /^[v\d]/.test(line) ? `${program} ${line}` : line;
}

function firstLine(program: string, words: readonly string[]): string {
  try {
    const text = execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.split('\n')[0]!.trim();
  } catch {
    return 'unknown';
  }
}
