import { Script } from 'node:vm';

const program = new Script('new RegExp(pattern, flags).exec(text)');
const longestMs = 1000;

/**
 * The match of a pattern and its groups in a text that somebody else wrote. Some texts keep some patterns busy for ever, and
 * nothing else of this process would run meanwhile: after a second it counts as no match.
 */
export function match(pattern: string, flags: string, text: string): readonly (string | undefined)[] | undefined {
  try {
    const found: (string | undefined)[] | null = program.runInNewContext(
      { pattern, flags, text },
      { timeout: longestMs },
    );
    return found === null ? undefined : [...found];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
    throw error;
  }
}
