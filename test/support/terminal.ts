import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin } from '../cli/lifeboat.ts';
import { temporaryFolder } from './temp.ts';

/** What is done once the terminal has shown `after`: since the step before, if there was one. */
export interface Step {
  readonly after: RegExp;
  /** As the keys send it: `\r` is Enter, `\x03` Ctrl-C. */
  readonly type?: string;
  /** Sent to the command itself. */
  readonly signal?: NodeJS.Signals;
}

export interface Seen {
  readonly code: number | null;
  /** All that the terminal showed, echo included. */
  readonly shown: string;
  /** Whether the command left the terminal as it found it: with its echo, above all. */
  readonly modesKept: boolean;
}

const deadlineMs = 40_000;

/** Runs the real command in `folder` as a person would who sits at a terminal and does `steps`, one after the other. */
export async function atTerminal(
  folder: string,
  words: readonly string[],
  steps: readonly Step[],
  env: Readonly<Record<string, string>> = {},
): Promise<Seen> {
  const notes = await temporaryFolder();
  const child = spawn('script', ['--quiet', '--return', '--command', scriptFor([bin, ...words], notes), '/dev/null'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, LIFEBOAT_STATE_DIR: join(folder, 'state'), NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const left = [...steps];
  let shown = '';
  let seen = 0;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    shown += text;
    for (;;) {
      const step = left[0];
      const found = step?.after.exec(shown.slice(seen));
      if (step === undefined || !found) return;
      seen += found.index + found[0].length;
      left.shift();
      if (step.type !== undefined) child.stdin.write(step.type);
      if (step.signal !== undefined) process.kill(Number(readFileSync(join(notes, 'pid'), 'utf8')), step.signal);
    }
  });
  // A write to a command that has ended fails the test by what is missing from its answer.
  child.stdin.on('error', () => {});
  const deadline = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  const code = await new Promise<number | null>((done) => child.once('close', done)).finally(() =>
    clearTimeout(deadline),
  );
  if (left[0] !== undefined) throw new Error(`${left[0].after} was never shown: ${shown}`);
  if (!existsSync(join(notes, 'after'))) throw new Error(`it did not end, or took the shell with it: ${shown}`);
  const modes = (name: string) => readFileSync(join(notes, name), 'utf8');
  return { code, shown, modesKept: modes('before') === modes('after') };
}

/** Notes the terminal's modes around the command, and the process id that the command will have. */
function scriptFor(command: readonly string[], notes: string): string {
  const inNotes = (name: string) => quoted(join(notes, name));
  const noted = `echo $$ >${inNotes('pid')}; exec ${command.map(quoted).join(' ')}`;
  return `stty -g >${inNotes('before')}; sh -c ${quoted(noted)}; code=$?; stty -g >${inNotes('after')}; exit $code`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
