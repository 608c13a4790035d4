import type { z } from 'zod';
import type { ConfigDocument, ConfigPath } from './document.ts';
import type { Mistake } from './errors.ts';

/** What the schema found, as mistakes with their places in the file. */
export function explainIssues(issues: readonly z.core.$ZodIssue[], document: ConfigDocument): Mistake[] {
  return issues.filter((issue) => !isMisspelt(issue, issues)).flatMap((issue) => explainIssue(issue, document));
}

/** Whether `issue` says that a key is missing which another says is misspelt: one mistake, told once. */
function isMisspelt(issue: z.core.$ZodIssue, issues: readonly z.core.$ZodIssue[]): boolean {
  const parent = issue.path.slice(0, -1).join('\0');
  return issues.some(
    (other) =>
      other.code === 'unrecognized_keys' &&
      issue.path.length === other.path.length + 1 &&
      other.path.join('\0') === parent &&
      other.keys.some((key) => nearest(key, other.message.split(',')) === issue.path.at(-1)),
  );
}

function explainIssue(issue: z.core.$ZodIssue, document: ConfigDocument): Mistake[] {
  const path = issue.path.filter((part): part is string | number => typeof part !== 'symbol');
  const subject = subjectOf(path);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.message.split(',');
      return issue.keys.map((key) => {
        const cut = cutAtComma(valueAt(document.value, path), key);
        if (cut !== undefined) {
          const hint = `Put the whole text in quotes: ${cut}: "…, ${key}"`;
          return document.atKey([...path, key], `the text of '${cut}' ends at the comma before this`, hint);
        }
        const near = nearest(key, known);
        const hint = near ? `Did you mean '${near}'?` : `Known here: ${known.join(', ')}.`;
        return document.atKey([...path, key], `'${key}' is not a known key`, hint);
      });
    }
    case 'invalid_key': {
      const why = issue.issues[0]?.message ?? 'is not a name';
      return [document.atKey(path, `the name ${subject}${why}`)];
    }
    case 'invalid_type':
    case 'invalid_value':
    case 'invalid_union': {
      if (valueAt(document.value, path) !== undefined) break;
      // A discriminator that is missing says which it may be.
      const hint = issue.code === 'invalid_union' ? capital(issue.message) : undefined;
      return [document.at(path, `${subject}is missing`, hint)];
    }
  }
  return [document.at(path, subject + plain(issue, path), hintOf(issue))];
}

/** Between { and } a comma ends a text that is not in quotes, and the rest becomes a key without a value: whose rest it is. */
function cutAtComma(map: unknown, key: string): string | undefined {
  if (map === null || typeof map !== 'object' || (map as Record<string, unknown>)[key] !== null) return undefined;
  const entries = Object.entries(map);
  const before = entries
    .slice(
      0,
      entries.findIndex(([name]) => name === key),
    )
    .reverse();
  return before.find(([, value]) => value !== null)?.[0];
}

function subjectOf(path: ConfigPath): string {
  const last = path.at(-1);
  if (last === undefined) return 'the file ';
  return typeof last === 'number' ? `item ${last + 1} of '${path.at(-2)}' ` : `'${last}' `;
}

/** Our own messages begin in lower case and go on after the subject; the schema library's begin with a capital. */
function plain(issue: z.core.$ZodIssue, path: ConfigPath): string {
  if (issue.code === 'invalid_type' && /^[A-Z]/.test(issue.message))
    return `must be ${kinds[issue.expected] ?? issue.expected}`;
  if (/^[A-Z']/.test(issue.message))
    return `is wrong: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
  const last = String(path.at(-1));
  return issue.message.startsWith(`${last} `) ? issue.message.slice(last.length + 1) : issue.message;
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'a map of keys and values',
  record: 'a map of names and values',
  array: 'a list',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
};

function hintOf(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code === 'invalid_type' && issue.path.at(-1) === 'exclude') {
    return "Each pattern with the reason why nobody will miss it: { '*.log': rotated daily }";
  }
  if (issue.code !== 'custom') return undefined;
  const hint: unknown = issue.params?.hint;
  return typeof hint === 'string' ? hint : undefined;
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  let here = value;
  for (const part of path) {
    if (here === null || typeof here !== 'object' || !Object.hasOwn(here, part)) return undefined;
    here = (here as Record<string | number, unknown>)[part];
  }
  return here;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** The known word that `word` is most likely meant to be: at most a third of its letters differ. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.ceil(best.candidate.length / 3)) ? best.candidate : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours. Words beyond 40 letters are never near. */
function editDistance(a: string, b: string): number {
  if (a.length > 40 || b.length > 40) return Number.POSITIVE_INFINITY;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
