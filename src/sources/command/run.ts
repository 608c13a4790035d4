import type { Expandable } from '../../core/references.ts';
import { type RunningProcess, startProcess } from '../../process/start.ts';

/** A command of the configuration: its words as they are run, and as one text for people. */
export interface Command {
  readonly words: readonly string[];
  readonly shown: string;
  /** Values are secrets: no result and no error shows them. */
  readonly env: Readonly<Record<string, Expandable>>;
  readonly timeoutMs: number;
  /** Where it runs. */
  readonly folder: string;
}

/** Starts it. @throws `tool-missing`, `tool-failed`, and what filling in its environment throws */
export async function startCommand(
  { words, env, timeoutMs, folder }: Command,
  signal: AbortSignal,
  input?: AsyncIterable<Uint8Array>,
): Promise<RunningProcess> {
  const [program = '', ...args] = words;
  const secretEnv: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) secretEnv[name] = await value.expand();
  return startProcess(program, args, {
    cwd: folder,
    secretEnv,
    signal,
    deadlineMs: timeoutMs,
    ...(input === undefined ? {} : { input, stdout: 'tail' as const }),
  });
}
