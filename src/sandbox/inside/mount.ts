import { execFileSync } from 'node:child_process';

const program = 'mount';

/** Runs mount(8). Throws with what it says on standard error. */
export function mount(...words: string[]): void {
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
}
