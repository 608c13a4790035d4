import { LifeboatError, sentenceOf } from '../core/errors.ts';
import { stepOf } from '../core/run.ts';
import { answerUnwritten, interrupted, unexpected } from './errors.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { printable, styleOf, toJson } from './output.ts';
import { withoutPrivateKeys } from './private-keys.ts';

export interface Failure {
  readonly error: LifeboatError;
  readonly exit: ExitCode;
  /** The step that failed, where the work had named steps. */
  readonly step?: string;
}

/** Any thrown thing as what a person is told. */
export function failureOf(thrown: unknown, signal: AbortSignal): Failure {
  // Whatever failed after Ctrl-C failed because of it: children that it ended too, connections that were let go.
  if (signal.aborted) return { error: interrupted({}, { cause: thrown }), exit: exitCodes.interrupted };
  const step = stepOf(thrown);
  const error = thrown instanceof LifeboatError ? thrown : unexpected({ what: sentenceOf(thrown) }, { cause: thrown });
  return step === undefined ? { error, exit: error.exit } : { error, exit: error.exit, step };
}

export function failureJson({ error, step }: Failure): string {
  const { code, message, hint } = error;
  return withoutPrivateKeys(toJson({ error: { code, message, hint, ...(step !== undefined && { step }) } }, 2));
}

/** The sentence, the hint, the code; the stack only when `debug`. */
export function failureText({ error, step }: Failure, color: boolean, debug: boolean): string {
  const style = styleOf(color);
  const lines = [
    `${style.bad('lifeboat:')} ${error.message}`,
    `  ${error.hint}`,
    style.dim(`  [${error.code}${step === undefined ? '' : `, while: ${step}`}]`),
  ];
  if (debug) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.stack ?? String(at));
  }
  return printable(withoutPrivateKeys(lines.join('\n')), color);
}

/** When the work has ended and what it had to say did not reach standard output. */
export function answerLost(thrown: unknown): { readonly exit: ExitCode; readonly text: string } {
  const error = answerUnwritten({ why: sentenceOf(thrown) });
  return { exit: error.exit, text: `${failureText({ error, exit: error.exit }, false, false)}\n` };
}
