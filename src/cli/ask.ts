import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { interrupted } from './errors.ts';

/** Asks the person at the terminal; undefined where there is none, or the answer is empty. */
export type Ask = (question: string, how?: { readonly secret: boolean }) => Promise<string | undefined>;

/**
 * Questions go to standard error, so that answers of the program can be piped. A secret is not echoed.
 * What it gives @throws `interrupted` at Ctrl-C
 */
export function askAt(input: NodeJS.ReadStream, output: NodeJS.WriteStream, signal: AbortSignal): Ask {
  return async (question, { secret } = { secret: false }) => {
    if (input.isTTY !== true || output.isTTY !== true) return undefined;
    let silent = false;
    const terminal = new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (!silent) output.write(chunk);
        done();
      },
    });
    using lines = Object.assign(createInterface({ input, output: terminal, terminal: true }), {
      [Symbol.dispose](this: { close(): void }) {
        this.close();
      },
    });
    // At a closed input no answer comes.
    const closed = once(lines, 'close').then(() => '');
    // Only its last line is edited: what stands before it may be longer than the screen.
    const last = question.lastIndexOf('\n') + 1;
    output.write(question.slice(0, last));
    const answered = lines.question(`${question.slice(last)} `, { signal });
    silent = secret;
    const stopped = once(lines, 'SIGINT').then(() => Promise.reject(interrupted({})));
    const answer = (await Promise.race([answered, closed, stopped])).trim();
    if (secret) output.write('\n');
    return answer === '' ? undefined : answer;
  };
}
