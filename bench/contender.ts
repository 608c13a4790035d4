import type { Command } from './measure.ts';

/** What is asked of every contender, in this order. */
export const phases = ['first backup', 'unchanged backup', 'after 1 % change', 'restore', 'full verification'] as const;
export type Phase = (typeof phases)[number];

/** One tool set up to protect one subject, with a repository of its own. */
export interface Contender {
  readonly name: string;
  /** Where everything that it stores lies. */
  readonly repository: string;
  /** Makes the empty repository; not measured. */
  prepare(): Promise<void>;
  /** The whole of what a person would run for this phase. `target` is where a restore goes: an empty folder or database. */
  command(phase: Phase, target: string): Command;
  /** Where a restore into the folder `target` puts the tree; for databases unused. */
  restoredAt(target: string): string;
}

/** Something to protect. */
export interface Subject {
  readonly id: string;
  readonly title: string;
  readonly kind: 'files' | 'postgres' | 'mysql';
  /** The folder's path or the database's URL. */
  readonly where: string;
  readonly files?: number;
  readonly bytes: number;
}

export type MakeContender = (subject: Subject, work: string) => Contender;

/** A word for the shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
