import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { sentenceOf } from '../core/errors.ts';
import { interrupted, passphraseNeeded } from './errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The passphrase of `of`: from LIFEBOAT_PASSPHRASE, the file that LIFEBOAT_PASSPHRASE_FILE names, or the terminal, where it is
 * not shown. @throws `passphrase-needed`, `interrupted`
 */
export async function readPassphrase(of: string, env: Env, signal: AbortSignal): Promise<string> {
  if (env.LIFEBOAT_PASSPHRASE) return env.LIFEBOAT_PASSPHRASE;
  const file = env.LIFEBOAT_PASSPHRASE_FILE;
  if (file) {
    try {
      return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
    } catch (cause) {
      throw passphraseNeeded({ of, why: `${file} cannot be read: ${sentenceOf(cause)}` }, { cause });
    }
  }
  if (!process.stdin.isTTY) throw passphraseNeeded({ of, why: 'there is no terminal to ask on' });
  return readHidden(`Passphrase of ${of}: `, signal);
}

export interface Typing extends Disposable {
  /** The next line that is typed, or was pasted before it was asked for. It is seen, so that it can be corrected. */
  ask(question: string): Promise<string>;
}

/** Asks line by line on the terminal. Its `ask` @throws `interrupted`, when the terminal closes or `signal` aborts */
export function startTyping(signal: AbortSignal): Typing {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const lines: string[] = [];
  let waiting: { done(line: string): void; failed(error: unknown): void } | undefined;
  let closed = false;
  terminal.on('line', (line) => {
    if (waiting === undefined) lines.push(line);
    else waiting.done(line);
    waiting = undefined;
  });
  terminal.on('close', () => {
    closed = true;
    waiting?.failed(interrupted({}));
  });
  const stop = () => terminal.close();
  signal.addEventListener('abort', stop, { once: true });
  return {
    ask(question) {
      terminal.setPrompt(question);
      terminal.prompt();
      const ready = lines.shift();
      if (ready !== undefined) return Promise.resolve(ready);
      if (closed) return Promise.reject(interrupted({}));
      return new Promise((done, failed) => {
        waiting = { done, failed };
      });
    },
    [Symbol.dispose]() {
      signal.removeEventListener('abort', stop);
      terminal.close();
    },
  };
}

const CTRL_C = '\x03';
const CTRL_D = '\x04';

function readHidden(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  // Before the question: whoever answers at once, as programs do, would be echoed.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((done, failed) => {
    let typed: string[] = [];
    const stop = () => end(() => failed(interrupted({})));
    const end = (finish: () => void) => {
      signal.removeEventListener('abort', stop);
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      finish();
    };
    function take(text: string): void {
      for (const sign of text) {
        const isEnd = sign === '\r' || sign === '\n' || sign === CTRL_D;
        if (sign === CTRL_C) stop();
        else if (isEnd) end(() => done(typed.join('')));
        if (isEnd || sign === CTRL_C) return;
        if (sign === '\x7f' || sign === '\b') typed = typed.slice(0, -1);
        else typed.push(sign);
      }
    }
    stdin.on('data', take);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
