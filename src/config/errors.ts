import { defineError } from '../core/errors.ts';
import { showPath } from '../core/paths.ts';

/** One thing wrong in the file, and where. Lines and columns count from 1. */
export interface Mistake {
  readonly line: number;
  readonly column: number;
  readonly what: string;
  /** What to write instead. */
  readonly hint?: string;
}

const shownMistakes = 8;

export const configInvalid = defineError({
  code: 'config-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { file: string; lines: readonly string[]; mistakes: readonly Mistake[] }) => {
    const { file, lines, mistakes } = fact;
    const count = mistakes.length === 1 ? 'one mistake' : `${mistakes.length} mistakes`;
    const more = mistakes.length - shownMistakes;
    return [
      `${file} has ${count}.`,
      ...mistakes.slice(0, shownMistakes).map((mistake) => quote(file, lines, mistake)),
      ...(more > 0 ? [`… and ${more} more.`] : []),
    ].join('\n');
  },
  hint: () => "Correct the file, then run 'lifeboat config validate'. docs/configuration.md lists every key.",
});

export const configMissing = defineError({
  code: 'config-missing',
  about: 'person',
  exit: 64,
  say: (fact: { file: string }) => `There is no configuration at ${fact.file}.`,
  hint: () =>
    "Run 'lifeboat init' to write one, or name it with --config FILE (LIFEBOAT_CONFIG). Only the current folder is searched.",
});

export const configUnreadable = defineError({
  code: 'config-unreadable',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) => `${fact.file} cannot be read: ${fact.why}.`,
  hint: () => 'Check the owner and the permissions of the file and its folders.',
});

export const identityInConfig = defineError({
  code: 'identity-in-config',
  about: 'person',
  exit: 64,
  say: (fact: { file: string; line: number }) =>
    `${fact.file}:${fact.line} holds a private key (AGE-SECRET-KEY-…). Whoever reads this file could read every backup.`,
  hint: () =>
    'Remove it. The configuration names recipients (age1…, ssh-…) only; pass identities with --identity FILE. Take that key out of use: lifeboat keys new.',
});

export const destinationInsideSource = defineError({
  code: 'destination-inside-source',
  about: 'person',
  exit: 64,
  say: (fact: { destination: string; destinationPath: string; dataset: string; sourcePath: string }) =>
    `Destination ${fact.destination} (${fact.destinationPath}) lies inside what dataset ${fact.dataset} protects (${fact.sourcePath}): each backup would back up the backups.`,
  hint: () => 'Move the destination to a folder outside the dataset, best on another disk.',
});

export const sourceInsideDestination = defineError({
  code: 'source-inside-destination',
  about: 'person',
  exit: 64,
  say: (fact: { destination: string; destinationPath: string; dataset: string; sourcePath: string }) =>
    `Dataset ${fact.dataset} (${fact.sourcePath}) lies inside destination ${fact.destination} (${fact.destinationPath}): one loss would take both.`,
  hint: () => 'Give the destination a folder of its own, best on another disk.',
});

export const destinationsOverlap = defineError({
  code: 'destinations-overlap',
  about: 'person',
  exit: 64,
  say: (fact: { one: string; other: string; path: string }) =>
    `Destinations ${fact.one} and ${fact.other} share the folder ${fact.path}: two names, one copy.`,
  hint: () => 'Give each destination a folder of its own, best on another disk.',
});

export const secretUnavailable = defineError({
  code: 'secret-unavailable',
  about: 'person',
  exit: 2,
  say: (fact: { reference: string; why: string }) => `The secret ${fact.reference} cannot be had: ${fact.why}.`,
  hint: () =>
    "Check the file or run the command by hand. A file that is gone is in every backup: 'lifeboat recover' brings it back, 'lifeboat restore lifeboat-config --into FOLDER' beside.",
});

/** `lifeboat.yaml:9:5`, the line, a caret under the column, and the hint. */
function quote(file: string, lines: readonly string[], mistake: Mistake): string {
  const { line, column, what, hint } = mistake;
  const margin = String(line).length;
  const source = maskPasswords((lines[line - 1] ?? '').slice(0, 200));
  const prefix = ' '.repeat(margin);
  return [
    `${file}:${line}:${column}: ${what}`,
    `  ${line} | ${showPath(Buffer.from(source).toString('latin1'))}`,
    `  ${prefix} | ${' '.repeat(Math.max(0, Math.min(column - 1, 200)))}^`,
    ...(hint ? [`  ${prefix} = ${hint}`] : []),
  ].join('\n');
}

/**
 * A password written in clear into a URL is not repeated in messages. References (`${…}`) are not secret. Every part is bounded:
 * the text may be an attacker's, made to be long to look through.
 */
export function maskPasswords(text: string): string {
  const mask = (whole: string, before: string, secret: string) =>
    /^(\$\{[^}]*\})+$/.test(secret) ? whole : `${before}****`;
  return text
    .replace(/([a-z][a-z0-9+.-]{0,30}:\/\/(?:\$\{[^}]{0,2000}\}|[^\s:/@'"]){0,2000}:)([^\s'"]{1,2000})(?=@)/gi, mask)
    .replace(/([?&][a-z_-]{0,60}(?:passw|secret|token|key)[a-z_-]{0,60}=)([^\s&#'"]+)/gi, mask);
}
