import type { System, Use } from '../config/system.ts';
import { countOf } from '../core/size.ts';
import type { SurveyedWriter } from '../operations/bootstrap/survey.ts';
import { configurationUnconfirmed, confirmConfiguration, isConfirmed } from '../operations/confirmed.ts';
import type { Ask } from './ask.ts';
import { printable } from './output.ts';

const titles: Readonly<Record<Use['kind'], string>> = {
  command: 'Commands that it runs as this user:',
  host: 'Where it connects to, with its credentials:',
  file: 'Files that it reads:',
  variable: 'Variables of this machine, or of its envFile, that it fills in:',
  program: 'Programs that a drill runs in its sandbox:',
  folder: 'Folders and files that it reads and writes:',
};

/** All that a configuration does, for the eyes of whoever says yes to it. Nothing is left out, however long it is. */
export function useLines(uses: readonly Use[]): string[] {
  const kinds = [...new Set(uses.map(({ kind }) => kind))];
  return kinds.flatMap((kind) => [
    titles[kind],
    ...uses.filter((one) => one.kind === kind).map(({ at, what }) => `  ${oneLine(at)}  ${oneLine(what)}`),
  ]);
}

/** A line break in a command must not look like the end of it. */
function oneLine(text: string): string {
  return text.replaceAll('\n', '\\n');
}

/** Shows `lines` and asks; false where nobody is there. */
export async function asked(ask: Ask, lines: readonly string[], question: string): Promise<boolean> {
  return (await ask(printable([...lines, `${question} (yes/no)`].join('\n')))) === 'yes';
}

/** Asks whether a writer that nothing vouches for is one of ours. */
export function askWriterAt(ask: Ask) {
  return ({ key, restorePoints, since, until }: SurveyedWriter, system: string): Promise<boolean> =>
    asked(
      ask,
      [
        `Nothing vouches for who signed the restore points of ${system}. It may be whoever broke in.`,
        `  ${key}`,
        `  ${countOf(restorePoints, 'restore point')}, ${since} to ${until}`,
      ],
      'Compare it, sign by sign, with what was written down. Is it the same?',
    );
}

/**
 * A configuration that nobody on this machine has said yes to may have come out of a vault, and a vault may be an attacker's: before
 * anything in it is looked up, run or connected to, a person sees all that it does. What was confirmed is remembered, as it is.
 * @throws `configuration-unconfirmed`
 */
export async function confirmUse(config: System, { trust, ask }: { trust: boolean; ask: Ask }): Promise<void> {
  if (isConfirmed(config)) return;
  const lines = [`${config.file} was not used on this machine before, or was changed since. It does this:`];
  lines.push(...useLines(config.uses));
  if (!trust && !(await asked(ask, lines, 'Use it?'))) {
    throw configurationUnconfirmed({ file: config.file, lines: lines.slice(1) });
  }
  confirmConfiguration(config);
}
