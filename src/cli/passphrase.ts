import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { sentenceOf } from '../core/errors.ts';
import { interrupted, passphraseNeeded } from './errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The passphrase of `of`: from LIFEBOAT_PASSPHRASE, the file that LIFEBOAT_PASSPHRASE_FILE names, or the terminal, where it is
 * not shown. @throws `passphrase-needed`, `interrupted`
 */
export async function readPassphrase(of: string, env: Env): Promise<string> {
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
  return readHidden(`Passphrase of ${of}: `);
}

/** Asks on the terminal; what is typed is seen, so that it can be corrected. @throws `interrupted` */
export async function readLine(question: string, signal: AbortSignal): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<never>((_, failed) => terminal.once('close', () => failed(interrupted({}))));
  // When the answer comes first, nobody waits for the other.
  closed.catch(() => {});
  try {
    return await Promise.race([terminal.question(question, { signal }), closed]);
  } finally {
    terminal.close();
  }
}

const CTRL_C = '\x03';
const CTRL_D = '\x04';

function readHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((done, failed) => {
    let typed: string[] = [];
    const end = (finish: () => void) => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      finish();
    };
    function take(text: string): void {
      for (const sign of text) {
        const isEnd = sign === '\r' || sign === '\n' || sign === CTRL_D;
        if (sign === CTRL_C) end(() => failed(interrupted({})));
        else if (isEnd) end(() => done(typed.join('')));
        if (isEnd || sign === CTRL_C) return;
        if (sign === '\x7f' || sign === '\b') typed = typed.slice(0, -1);
        else typed.push(sign);
      }
    }
    stdin.on('data', take);
  });
}
