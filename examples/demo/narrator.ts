import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';

/** Tells the story on standard output: chapters, the command lines with their own output, and what was found to be true. */
export interface Narrator {
  chapter(title: string): void;
  say(text: string): void;
  /** Something that was checked and holds. */
  proved(text: string): void;
  /** Runs a command as typed, shows it and its output, and throws when it does not end with `expected` (0). */
  command(line: readonly string[], options: CommandOptions): Promise<void>;
}

interface CommandOptions {
  readonly program: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Something in the story is not as it must be. */
export class StoryBroken extends Error {}

const commandLimitMs = 120_000;

/** `signal` stops the command that runs, and with it the story. */
export function createNarrator(color: boolean, signal: AbortSignal): Narrator {
  const style = (code: number, text: string) => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
  // Written at once, so that it stands before what the next command prints itself.
  const print = (text: string) => writeFully(`${text}\n`);
  let chapters = 0;
  // What a command printed stands between empty lines.
  let afterCommand = false;
  const tell = (text: string) => {
    print(afterCommand ? `\n${text}` : text);
    afterCommand = false;
  };

  return {
    chapter(title) {
      chapters += 1;
      afterCommand = false;
      print(`\n${style(1, `${chapters}. ${title}`)}`);
    },
    say: (text) => tell(`   ${text}`),
    proved: (text) => tell(`   ${style(32, '✓')} ${text}`),
    async command(line, { program, cwd, env }) {
      print(`\n   ${style(36, `$ ${line.join(' ')}`)}`);
      signal.throwIfAborted();
      const child = spawn(program, line.slice(1), {
        cwd,
        env,
        stdio: ['ignore', 'inherit', 'pipe'],
        timeout: commandLimitMs,
        signal,
      });
      let working = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        working += text;
      });
      const [code, killedBy] = await new Promise<[number | null, string | null]>((resolve, reject) => {
        child.once('close', (code, killedBy) => resolve([code, killedBy]));
        // When interrupted it was asked to stop, and is waited for.
        child.once('error', (error) => (child.pid === undefined ? reject(error) : undefined));
      });
      signal.throwIfAborted();
      afterCommand = true;
      // How far it got matters when it failed; otherwise only what it remarked.
      const remarks = code === 0 ? working.replace(/^✓ .* {2}[\d.]+ \w+\n/gm, '') : working;
      if (remarks !== '') writeFully(remarks);
      if (code !== 0) throw new StoryBroken(`\`${line.join(' ')}\` ended with ${code ?? killedBy}.`);
    },
  };
}

function writeFully(text: string): void {
  for (let bytes = Buffer.from(text); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      // A pipe whose reader is slow.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}
