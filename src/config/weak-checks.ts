import { meets } from '../core/condition.ts';
import type { Problem } from '../core/run.ts';
import type { Check, CommandCheck, HttpCheck, HttpStep, SqlCheck } from './system.ts';

/** Checks that hardly anything could fail, each with what would make it a check: whoever counts on them is fooled. */
export function weakCheckWarnings(checks: readonly Check[]): Problem[] {
  return checks.flatMap((check) => {
    const why = weaknessOf(check);
    return why === undefined ? [] : [{ code: 'check-weak', message: `The check '${check.id}' proves little: ${why}` }];
  });
}

function weaknessOf(check: Check): string | undefined {
  switch (check.type) {
    case 'sql':
      return readsNothing(check.query) ?? weakCondition(check);
    case 'freshness':
      return readsNothing(check.query);
    case 'references':
      return readsNothing(check.from.query);
    case 'http':
      return weakRequests(check);
    case 'command':
      return weakCommand(check);
  }
}

/** Functions that read no row; a function of the database's own may. */
const ofNoRow = new Set([
  ...[
    'count',
    'now',
    'coalesce',
    'ifnull',
    'nullif',
    'max',
    'min',
    'sum',
    'total',
    'abs',
    'length',
    'lower',
    'upper',
    'random',
  ],
  ...[
    'version',
    'sqlite_version',
    'date',
    'time',
    'datetime',
    'strftime',
    'julianday',
    'unixepoch',
    'current_database',
  ],
]);

function readsNothing(query: string): string | undefined {
  const bare = withoutTexts(query).toLowerCase();
  if (/\b(from|table|pragma|call|show)\b/.test(bare)) return undefined;
  const called = [...bare.matchAll(/([\w.$]+)\s*\(/g)].map(([, name = '']) => name);
  const words = new Set(['select', 'in', 'values', 'and', 'or', 'not', 'when', 'then', 'else', 'as', 'cast']);
  if (called.some((name) => !ofNoRow.has(name) && !words.has(name))) return undefined;
  return 'its query reads no table. Ask for something that only the right data can answer.';
}

function weakCondition({ query, expect }: SqlCheck): string | undefined {
  const counts = /\bselect\s+(distinct\s+)?(count|total|exists|coalesce|ifnull)\b/i.test(query);
  if (expect.kind === 'matches' && (meets('', expect) || meets('0', expect)))
    return `0 or nothing meets '${expect.text}'. Demand what only the right data holds.`;
  if (expect.kind === 'not empty' && counts) return `0 meets '${expect.text}'. Write: expect: ">= 1"`;
  const always = expect.kind === 'compare' && /^(>|>=|!=)$/.test(expect.operator) && meets('0', expect);
  return always && counts ? `0 meets '${expect.text}'. Demand more than none.` : undefined;
}

function weakRequests({ steps }: HttpCheck): string | undefined {
  if (steps.some(looksAtAnswer)) return undefined;
  return 'a page that says that something went wrong would pass. Expect what only the right answer has: contains, json, contentType, sha256.';
}

function looksAtAnswer({ expect, capture }: HttpStep): boolean {
  const { status, contains, json, contentType, minBytes, sha256 } = expect;
  const bySomething = contentType !== undefined || minBytes !== undefined || sha256 !== undefined;
  const another = status.length > 0 && status.every((one) => one < 200 || one > 299);
  return bySomething || another || contains.length > 0 || json.length > 0 || Object.keys(capture).length > 0;
}

/** They end well whatever comes to them. */
const takesAnything = /^(cat|head|tail|tee|sort|uniq|wc|sed|tr|cut|nl|column|fold|rev|tac|less|more)\b/;

function weakCommand({ run }: CommandCheck): string | undefined {
  const bare = withoutTexts(run).trim();
  const last =
    bare
      .split(/[\n;]|&&/)
      .at(-1)
      ?.trim() ?? '';
  if (/(^|\|\||;|\n)\s*(true|:|exit 0)$/.test(bare))
    return 'its last word is that it went well. Let the command itself decide.';
  const piped = last.split(/(?<!\|)\|(?!\|)/);
  if (piped.length < 2 || !takesAnything.test(piped.at(-1)?.trim() ?? '') || /pipefail/.test(run)) return undefined;
  return `of '${last.slice(0, 60)}' only the last part decides, which ends well whatever comes before it. Test what comes out: … | grep -q …`;
}

function withoutTexts(text: string): string {
  return text.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\/|'[^']*'|"(?:[^"\\]|\\.)*"/g, "''");
}
