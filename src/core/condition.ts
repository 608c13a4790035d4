import { conditionInvalid } from './mistakes.ts';
import { match } from './pattern.ts';

/** What a value that a check found must be: `= 42`, `>= 1`, `between 1 and 9`, `not empty`, `matches /^ok/`. */
export type Condition =
  | { readonly text: string; readonly kind: 'compare'; readonly operator: Operator; readonly operand: string }
  | { readonly text: string; readonly kind: 'between'; readonly low: string; readonly high: string }
  | { readonly text: string; readonly kind: 'empty' | 'not empty' }
  | { readonly text: string; readonly kind: 'matches'; readonly pattern: string; readonly flags: string };

type Operator = '=' | '!=' | '>=' | '<=' | '>' | '<';

/** @throws `condition-invalid` */
export function parseCondition(input: string): Condition {
  const text = input.trim();
  if (text === 'empty' || text === 'not empty') return { text, kind: text };

  const compare = /^(=|!=|>=|<=|>|<)\s*(\S.*)$/s.exec(text);
  if (compare?.[1] && compare[2]) {
    return { text, kind: 'compare', operator: compare[1] as Operator, operand: unquote(compare[2]) };
  }
  const between = /^between\s+(\S.*?)\s+and\s+(\S.*)$/s.exec(text);
  if (between?.[1] && between[2]) return { text, kind: 'between', low: unquote(between[1]), high: unquote(between[2]) };

  const matches = /^matches\s+\/(.+)\/([imsu]*)$/s.exec(text);
  if (matches?.[1]) {
    const [, pattern, flags = ''] = matches;
    try {
      new RegExp(pattern, flags);
    } catch (cause) {
      throw conditionInvalid({ text, why: 'its regular expression cannot be read' }, { cause });
    }
    return { text, kind: 'matches', pattern, flags };
  }
  throw conditionInvalid({
    text,
    why: 'it begins with none of =, !=, >=, <=, >, <, between, matches, empty, not empty',
  });
}

/**
 * Whether `value`, as a database driver or a JSON body gave it, is what the condition asks for. Numbers compare as numbers,
 * exactly (also beyond 2^53), when both sides are numbers; anything else as text. Nothing (null, undefined) meets only `empty`
 * and `!=`.
 */
export function meets(value: unknown, condition: Condition): boolean {
  const text = asText(value);
  switch (condition.kind) {
    case 'empty':
      return text === undefined || text === '';
    case 'not empty':
      return text !== undefined && text !== '';
    case 'matches':
      return text !== undefined && match(condition.pattern, condition.flags, text) !== undefined;
    case 'between':
      return text !== undefined && order(text, condition.low) >= 0 && order(text, condition.high) <= 0;
    case 'compare':
      if (text === undefined) return condition.operator === '!=';
      return holds(condition.operator, order(text, condition.operand));
  }
}

function holds(operator: Operator, sign: number): boolean {
  switch (operator) {
    case '=':
      return sign === 0;
    case '!=':
      return sign !== 0;
    case '>=':
      return sign >= 0;
    case '<=':
      return sign <= 0;
    case '>':
      return sign > 0;
    case '<':
      return sign < 0;
  }
}

function asText(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'object') return Array.isArray(value) && value.length === 0 ? '' : JSON.stringify(value);
  return String(value);
}

/** NaN, which no operator but `!=` accepts, where a number meets a text that is none: `'abc' > 5` has no answer. */
function order(a: string, b: string): number {
  const [x, y] = [decimal(a), decimal(b)];
  if (x && y) return compareDecimals(x, y);
  if (x || y) return Number.NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

function decimal(text: string): Decimal | undefined {
  const parts = /^([+-]?)(\d{1,400})(?:\.(\d{1,400}))?$/.exec(text.trim());
  if (!parts) return undefined;
  const fraction = parts[3] ?? '';
  return { digits: BigInt(`${parts[1] === '-' ? '-' : ''}${parts[2]}${fraction}`), scale: fraction.length };
}

function compareDecimals(a: Decimal, b: Decimal): number {
  const x = a.digits * 10n ** BigInt(Math.max(0, b.scale - a.scale));
  const y = b.digits * 10n ** BigInt(Math.max(0, a.scale - b.scale));
  return x < y ? -1 : x > y ? 1 : 0;
}

function unquote(text: string): string {
  const trimmed = text.trim();
  const quoted = /^(["'])(.*)\1$/s.exec(trimmed);
  return quoted ? (quoted[2] ?? '') : trimmed;
}
